/* The Lua interpreter: runs the script named by the first argument ("-" is stdin) with
 * the rest in `arg`. Errors go to stderr, with status 1. */
#include <stdio.h>
#include <string.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

static int traceback(lua_State *L) {
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

int main(int argc, char **argv) {
    lua_State *L = luaL_newstate();
    if (!L || argc < 2) {
        fprintf(stderr, "usage: lua SCRIPT [ARG]...\n");
        return 2;
    }
    luaL_openlibs(L);
    lua_createtable(L, argc, 0);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - 1);
    }
    lua_setglobal(L, "arg");
    lua_pushcfunction(L, traceback);
    if (luaL_loadfile(L, strcmp(argv[1], "-") ? argv[1] : NULL) || lua_pcall(L, 0, 0, -2)) {
        fflush(stdout);
        fprintf(stderr, "lua: %s\n", lua_tostring(L, -1));
        return 1;
    }
    lua_close(L);
    return 0;
}
