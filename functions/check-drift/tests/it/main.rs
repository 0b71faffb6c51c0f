//! The routes as a caller sees them, on a store in memory and on one in a folder.

mod decisions;
mod fixture;
mod live;
mod parts;
mod records;
