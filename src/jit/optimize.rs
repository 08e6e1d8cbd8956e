//! Joins and drops operations inside a block.

use super::translate::Item;

/// Rewrites the operations of one block.
pub fn optimize(_items: &mut [Item]) {}
