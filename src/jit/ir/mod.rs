//! What the rooms of the JIT hand to each other: operations, what is known of them, and the state that emitted code uses.

pub mod costs;
pub mod item;
pub mod life;
pub mod op;
pub mod registers;
pub mod state;
mod text;
mod value;
pub mod verify;
