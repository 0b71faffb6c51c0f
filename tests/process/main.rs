//! The loop across processes: the `ebb` executable, its source, its client, and what a kill leaves behind.
//!
//! Every test starts its own processes on free loopback ports with a store and specs of its own, and ends them by their
//! ids. Nothing here links the functions: the command line, the routes and the store's layout are all that is used.

mod access;
mod bad_batches;
mod bad_requests;
mod damage;
mod explain;
mod first_spec;
mod harness;
mod kills;
mod losses;
mod measuring;
mod records;
mod reference;
mod sequence;
mod swap;
mod world;
