//! Looks at addresses: lists what is new, reads it, and says what it was.
//!
//! The cursor of an address moves over blocks only that can't leave the chain any more, and over none of which something
//! could not be read. So a failure costs time and nothing else: what was listed and not dealt with is listed again. What was
//! dealt with beyond the cursor is kept by its signature and slot. What was found there in a block that is not final is
//! followed until it is, and taken back if all servers say that it is nowhere.

mod listing;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bulkhead_core::time::Timestamp;
use solana_address::Address;
use solana_signature::Signature;
use tokio::time::Instant;

use self::listing::{Listing, State};
use super::book::{Cursor, Progress};
use super::cache::{Key, TransactionCache};
use super::report::ScanReport;
use super::settings::WatchSettings;
use crate::cluster::{Cluster as _, ClusterError, Known, Level};
use crate::rpc::history::{Answer, Listed, Parsed, Question};
use crate::rpc::{Endpoints, Traffic};

pub(super) use self::source::{Finding, News, Purpose, Source};

/// Servers are asked how far they are no more often than this.
const SOUND_OUT_EVERY: Duration = Duration::from_secs(10);

/// What came of reading a transaction.
#[derive(Debug, Clone)]
enum Reading {
    Read(Arc<Parsed>),
    /// It was answered, and not with this transaction in this slot.
    Unreadable,
}

/// Looks at addresses.
#[derive(Debug)]
pub(super) struct Scanner {
    settings: WatchSettings,
    sources: Vec<Source>,
    cache: TransactionCache,
    sounded_out: Option<Instant>,
}

/// What a look has brought. Nothing of it counts before [`Scanner::accept`].
#[derive(Debug)]
pub(super) struct Look {
    /// What is to be written down.
    pub(super) progress: Vec<Progress>,
    /// What is to be told, in the order in which it happened.
    pub(super) news: Vec<News>,
    pub(super) report: ScanReport,
    /// Why some of it has to wait for the next look.
    pub(super) problem: Option<ClusterError>,
    sources: Vec<(usize, Source)>,
}

impl Scanner {
    pub(super) fn new(settings: WatchSettings, sources: Vec<Source>) -> Self {
        let cache = TransactionCache::new(settings.remembered_for, settings.remembered);
        Self { settings, sources, cache, sounded_out: None }
    }

    pub(super) fn addresses(&self) -> BTreeSet<Address> {
        self.sources.iter().map(Source::address).collect()
    }

    /// How many transactions are remembered.
    pub(super) fn remembered(&self) -> usize {
        self.cache.len()
    }

    /// From now on this holds: it was written down.
    pub(super) fn accept(&mut self, sources: Vec<(usize, Source)>) {
        for (place, source) in sources {
            if let Some(kept) = self.sources.get_mut(place) {
                *kept = source;
            }
        }
    }

    /// Looks at all addresses, or at these only.
    pub(super) async fn look(
        &mut self,
        endpoints: &Endpoints,
        only: Option<&BTreeSet<Address>>,
        now: Timestamp,
    ) -> Look {
        let started = Instant::now();
        self.cache.expire(started);
        let mut traffic = Traffic::default();
        if self.sounded_out.is_none_or(|at| at.elapsed() >= SOUND_OUT_EVERY) {
            endpoints.sound_out(&mut traffic).await;
            self.sounded_out = Some(started);
        }
        let is_meant = |source: &Source| only.is_none_or(|only| only.contains(&source.address));
        let places: Vec<usize> =
            (0..).zip(&self.sources).filter(|(_, source)| is_meant(source)).map(|(place, _)| place).collect();
        let mut report = ScanReport { addresses: places.len(), ..ScanReport::default() };
        let (final_slot, mut listings) =
            listing::lists(endpoints, &self.sources, &places, &self.settings, &mut traffic).await;
        for listing in &mut listings {
            // From here on the oldest comes first.
            listing.entries.reverse();
        }
        let (read, mut problem) = self.read(endpoints, &listings, &mut report, &mut traffic).await;
        let mut look =
            Look { progress: Vec::new(), news: Vec::new(), report, problem: None, sources: Vec::new() };
        for listing in listings {
            let Some(source) = self.sources.get(listing.place) else { continue };
            let mut source = source.clone();
            match listing.state {
                State::Failed(error) => problem = problem.or(Some(error)),
                State::TooLong => begin_anew(&mut source, &listing.entries, &mut look),
                State::Open | State::Whole if source.cursor.is_none() => match &final_slot {
                    Ok(slot) => begin(&mut source, &listing.entries, *slot, &mut look),
                    Err(error) => problem = problem.or_else(|| Some(error.clone())),
                },
                State::Open | State::Whole => {
                    let entries = &listing.entries;
                    let mut brought =
                        source.go_through(entries, &read, &self.settings, now, &mut look.report);
                    if let Ok(slot) = final_slot {
                        for signature in source.missing(entries, slot, &self.settings) {
                            traffic.add(Traffic {
                                requests: endpoints.awake_count(),
                                batches: endpoints.awake_count(),
                                ..Traffic::default()
                            });
                            match endpoints.status(signature).await {
                                Ok(Known::ByNobody) => source.undo(signature, &mut brought, &mut look.report),
                                Ok(Known::As(status)) if status.level == Level::Finalized => {
                                    source.note_final(signature, &mut brought);
                                }
                                Ok(Known::As(_) | Known::ByFew) => {}
                                Err(error) => problem = problem.or(Some(error)),
                            }
                        }
                    }
                    source.advance(entries, &mut brought.progress);
                    look.news.extend(brought.news);
                    look.note(brought.progress);
                }
            }
            look.sources.push((listing.place, source));
        }
        // What is taken back was told before everything that is new.
        look.news.sort_by_key(|news| (!news.is_undone, news.finding.slot()));
        (look.report.traffic, look.report.took, look.problem) = (traffic, started.elapsed(), problem);
        look
    }

    /// Reads what is new in the lists, the oldest first, and no more than is to be read at once.
    async fn read(
        &mut self,
        endpoints: &Endpoints,
        listings: &[Listing],
        report: &mut ScanReport,
        traffic: &mut Traffic,
    ) -> (BTreeMap<Key, Reading>, Option<ClusterError>) {
        let mut wanted: Vec<&Listed> = Vec::new();
        for listing in listings.iter().filter(|listing| listing.state == State::Whole) {
            let Some(source) = self.sources.get(listing.place).filter(|source| source.cursor.is_some())
            else {
                continue;
            };
            let is_new = |entry: &&Listed| !entry.failed && !source.is_known(entry);
            wanted.extend(listing.entries.iter().filter(is_new));
        }
        wanted.sort_by_key(|entry| entry.slot);
        let now_read = wanted.len().min(self.settings.transactions_at_once);
        report.left = (wanted.len() - now_read) as u64;
        let (mut read, mut asked, mut queued) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        for entry in wanted.into_iter().take(now_read) {
            let key = (entry.signature, entry.slot);
            if let Some(parsed) = self.cache.get(&key) {
                report.cache_hits += 1;
                read.insert(key, Reading::Read(parsed));
            } else if queued.insert(key) {
                report.cache_misses += 1;
                asked.push(key);
            } else {
                report.cache_hits += 1;
            }
        }
        let finality = self.settings.told_at;
        let question =
            |(signature, _): &(Signature, u64)| Question::Transaction { signature: *signature, finality };
        let questions: Vec<Question> = asked.iter().map(question).collect();
        let at_once = self.settings.calls_at_once.get();
        let answers = endpoints.history(&questions, at_once, traffic).await;
        let (mut problem, now) = (None, Instant::now());
        for (key, answer) in asked.into_iter().zip(answers) {
            match answer {
                Ok(Answer::Transaction(parsed)) if parsed.moved.slot == key.1 => {
                    let parsed: Arc<Parsed> = parsed.into();
                    self.cache.put(key, Arc::clone(&parsed), now);
                    read.insert(key, Reading::Read(parsed));
                }
                Ok(_) => drop(read.insert(key, Reading::Unreadable)),
                Err(error) => {
                    if !matches!(error, ClusterError::Unavailable(_)) {
                        read.insert(key, Reading::Unreadable);
                    }
                    problem = problem.or(Some(error));
                }
            }
        }
        (read, problem)
    }
}

impl Look {
    fn note(&mut self, progress: Progress) {
        if !progress.is_empty() {
            self.progress.push(progress);
        }
    }

    /// What the scanner takes over once the rest was written down.
    pub(super) fn take_sources(&mut self) -> Vec<(usize, Source)> {
        std::mem::take(&mut self.sources)
    }
}

/// The first look at an address: what happened before it is not told.
fn begin(source: &mut Source, entries: &[Listed], final_slot: u64, look: &mut Look) {
    let mut progress = Progress::of(source.watched.clone());
    let newest = entries.last();
    // The list may come from a server that is further than the one that said which slot is final.
    let slot = newest.map_or(final_slot, |newest| newest.slot.max(final_slot));
    source.begin_at(Cursor { slot, signature: newest.map(|newest| newest.signature) }, &mut progress);
    look.note(progress);
}

/// There is too much to go through: what happened in between is not told.
fn begin_anew(source: &mut Source, entries: &[Listed], look: &mut Look) {
    let newest_final = entries.iter().rev().find(|entry| entry.level == Level::Finalized);
    let Some(newest) = newest_final else { return };
    let address = source.address;
    tracing::error!(%address, slot = newest.slot, "too much has happened since the last look; watching begins anew there");
    look.report.gaps += 1;
    let mut progress = Progress::of(source.watched.clone());
    source.begin_at(Cursor { slot: newest.slot, signature: Some(newest.signature) }, &mut progress);
    look.note(progress);
}
