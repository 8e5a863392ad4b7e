//! What outlives the process: the journal, snapshots of the engine, and read models for people and programs.
//!
//! The journal holds every input of a shard in order, with the outputs that followed; everything else can be
//! made from it again. One [`storage::Group`] is one database transaction: journal records, the rows of the
//! read models that they change, and now and then a snapshot. So a reader never sees a fill without its
//! position, and after a crash the journal ends after a whole group.
//!
//! What this crate must never do: decide about money, repair what does not add up, or start the engine with
//! less than it was asked for. What it finds broken it reports, with the place.
//!
//! Where to start reading: [`storage`] for what a store can do, [`journal`] for what a record is.

/// The machine's clock, for what people ask and what is told to them.
pub mod clock;

/// The store in a database: an SQLite file, or a Postgres server.
pub mod database;

/// Records, their chain of checksums, and their payloads.
pub mod journal;

/// Rows for people and programs to read, which follow from the journal.
pub mod read_models;

/// What a store of journals can do, whichever database it is.
pub mod storage;

/// Walking a whole journal to see that nothing is missing, moved or edited.
pub mod verify;

/// Wallets of others that are tracked, their trades, and pools that came to be.
pub mod wallets;
