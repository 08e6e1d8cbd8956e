# The rows of tests/mutants/*.txt, for mutants.sh, which says what they are for.
#
#   perl mutants.pl list            a line for each row: number, file, what it breaks, its tests
#   perl mutants.pl apply FOLDER    puts all of them into the copy of the project there, each behind a question that
#                                   is answered by the environment: RVJIT_MUTANT has the number of the one that is on
#
# A row is a paragraph. Its lines begin with what they are:
#
#   @ NUMBER FILE      opens the row
#   ! TEXT             what is wrong where this mutant is on
#   - TEXT             a piece of the source between « and », and what stands around it; spaces and line ends are all alike.
#                      It must be found in the file just once, so that rows do not outlive what they are about
#   + TEXT             what the piece becomes: an expression or statements; {} is nothing
#   ? [HOST] TARGET FILTER…   a test that fails then: `lib` or a file of tests/, and names of tests; only on HOST
#                      (x86-64, or arm64, which is emulated elsewhere)
#   ~ TEXT             why no test can fail: it changes nothing that a guest or its host could see
#   % TEXT             what is still to be done: until then the row is in no sample
use strict;
use warnings;
use utf8;
use open qw(:std :encoding(UTF-8));

sub rows {
    my (@rows, %seen);
    for my $file (sort glob 'tests/mutants/*.txt') {
        open my $in, '<', $file or die "$file: $!\n";
        while (my $line = <$in>) {
            chomp $line;
            next if $line =~ /^(#|$)/;
            my ($kind, $text) = $line =~ /^([@!+?~%-]) ?(.*)$/ or die "$file:$.: what is this line?\n";
            if ($kind eq '@') {
                my ($number, $source) = $text =~ /^([1-9]\d*) (\S+)$/ or die "$file:$.: number and file\n";
                die "$file:$.: $number is taken\n" if $seen{$number}++;
                push @rows, { number => $number, file => $source, tests => [], at => "$file:$." };
                next;
            }
            my $row = $rows[-1] or die "$file:$.: no row is open\n";
            if ($kind eq '?') { push @{ $row->{tests} }, $text }
            else { $row->{$kind} = defined $row->{$kind} ? "$row->{$kind}\n$text" : $text }
        }
    }
    for my $row (@rows) {
        defined $row->{$_} or die "$row->{at}: the row has no line with $_\n" for qw(! - +);
        @{ $row->{tests} } || $row->{'~'} or die "$row->{at}: no test and no reason\n";
    }
    return sort { $a->{number} <=> $b->{number} } @rows;
}

# Where the piece of a row begins and ends in the text of its file.
sub piece {
    my ($row, $text) = @_;
    my ($before, $old, $after) = $row->{'-'} =~ /^(.*)«(.*)»(.*)$/s or die "$row->{at}: no « and »\n";
    my ($head, $body, $tail) = map { join '\s+', map { quotemeta } split ' ', $_ } $before, $old, $after;
    my $gap = sub { $_[0] =~ /\S/ ? '\s*' : '' };
    my $pattern = $head . $gap->($before) . "(?<piece>$body)" . $gap->($after) . $tail;
    my @found;
    while ($text =~ /$pattern/g) {
        push @found, [ $-[1], $+[1] ];
        pos($text) = $-[0] + 1;
    }
    @found == 1 or die "$row->{at}: the text is in $row->{file} " . @found . " times, not once\n";
    return @{ $found[0] };
}

# What is put before and behind the piece. What was a value stays one.
sub question {
    my ($row, $old) = @_;
    my $new = $row->{'+'} =~ /^\s*\{\}\s*$/ ? '' : $row->{'+'};
    my $statement = $old =~ /[;}]\s*$/;
    my $ask = "if crate::mutants::on($row->{number}) { $new } else { ";
    return $statement ? ($ask, ' }') : ("($ask(", ') })');
}

sub slurp {
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$in>;
}

# Writes only what differs, so that as little as can be is compiled again.
sub spill {
    my ($path, $text) = @_;
    return if -e $path && slurp($path) eq $text;
    open my $out, '>', $path or die "$path: $!\n";
    print $out $text;
    close $out or die "$path: $!\n";
}

my ($what, $folder) = @ARGV;
my @rows = rows();
if ($what eq 'list') {
    print join("\t", @$_{qw(number file !)}, join('; ', @{ $_->{tests} }), $_->{'~'} // '', $_->{'%'} // ''), "\n" for @rows;
    exit;
}
my %of_file;
push @{ $of_file{ $_->{file} } }, $_ for @rows;
$of_file{'src/lib.rs'} //= [];
for my $file (sort keys %of_file) {
    my $text = slurp($file);
    my @parts;
    for my $row (@{ $of_file{$file} }) {
        my ($start, $end) = piece($row, $text);
        my ($ask, $close) = question($row, substr $text, $start, $end - $start);
        push @parts, [ $start, $end, $ask, $close, $row ];
    }
    # Pieces may lie inside each other: the longer one asks first.
    @parts = sort { $a->[0] <=> $b->[0] || $b->[1] <=> $a->[1] || $a->[4]{number} <=> $b->[4]{number} } @parts;
    my (@open, $done);
    my ($at, $result) = (0, '');
    my $close_until = sub {
        my ($to) = @_;
        while (@open && $open[-1][1] <= $to) {
            my $part = pop @open;
            $result .= substr($text, $at, $part->[1] - $at) . $part->[3];
            $at = $part->[1];
        }
    };
    for my $part (@parts) {
        $close_until->($part->[0]);
        die "$part->[4]{at}: lies half in $open[-1][4]{at}\n" if @open && $part->[1] > $open[-1][1];
        $result .= substr($text, $at, $part->[0] - $at) . $part->[2];
        $at = $part->[0];
        push @open, $part;
    }
    $close_until->(length $text);
    $result .= substr $text, $at;
    $result .= <<'RUST' if $file eq 'src/lib.rs';

/// Which of the mutants is on.
pub mod mutants {
    use std::sync::LazyLock;
    static CHOSEN: LazyLock<u32> = LazyLock::new(|| {
        let chosen = std::env::var("RVJIT_MUTANT");
        chosen.map_or(0, |number| number.parse().expect("a number"))
    });
    /// Whether it is this one.
    #[inline]
    pub fn on(number: u32) -> bool {
        *CHOSEN == number
    }
}
RUST
    spill("$folder/$file", $result);
}
