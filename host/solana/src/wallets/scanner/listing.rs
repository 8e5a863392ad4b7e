//! The lists of what is new at some addresses, page by page.

use super::Source;
use crate::cluster::ClusterError;
use crate::rpc::history::{Answer, Listed, Question};
use crate::rpc::{Endpoints, Traffic};
use crate::settings::Finality;
use crate::wallets::settings::WatchSettings;

/// What is new at an address.
#[derive(Debug)]
pub(super) struct Listing {
    /// The source's place among all.
    pub(super) place: usize,
    /// Transactions beyond the cursor, the newest first.
    pub(super) entries: Vec<Listed>,
    pub(super) state: State,
    pages: usize,
}

/// How far a list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// There is more.
    Open,
    /// It reaches back to the cursor.
    Whole,
    /// A page could not be had.
    Failed(ClusterError),
    /// There is more than is read in one look.
    TooLong,
}

/// The lists of these sources, and which slot is final at the server that was asked first.
pub(super) async fn lists(
    endpoints: &Endpoints,
    sources: &[Source],
    places: &[usize],
    settings: &WatchSettings,
    traffic: &mut Traffic,
) -> (Result<u64, ClusterError>, Vec<Listing>) {
    let listing =
        |place: &usize| Listing { place: *place, entries: Vec::new(), state: State::Open, pages: 0 };
    let mut listings: Vec<Listing> = places.iter().map(listing).collect();
    let mut final_slot = None;
    loop {
        let mut open: Vec<(&mut Listing, &Source)> = listings
            .iter_mut()
            .filter(|listing| listing.state == State::Open)
            .filter_map(|listing| sources.get(listing.place).map(|source| (listing, source)))
            .collect();
        if open.is_empty() && final_slot.is_some() {
            break;
        }
        let mut questions: Vec<Question> =
            open.iter().map(|(listing, source)| listing.question(source, settings)).collect();
        if final_slot.is_none() {
            questions.insert(0, Question::FinalSlot);
        }
        let mut answers =
            endpoints.history(&questions, settings.calls_at_once.get(), traffic).await.into_iter();
        if final_slot.is_none() {
            final_slot = Some(match answers.next() {
                Some(Ok(Answer::Slot(slot))) => Ok(slot),
                Some(Err(error)) => Err(error),
                _ => Err(unexpected()),
            });
        }
        for (listing, source) in &mut open {
            match answers.next() {
                Some(Ok(Answer::Signatures(page))) => listing.add(page, source, settings),
                Some(Err(error)) => listing.state = State::Failed(error),
                _ => listing.state = State::Failed(unexpected()),
            }
        }
    }
    (final_slot.unwrap_or_else(|| Err(unexpected())), listings)
}

fn unexpected() -> ClusterError {
    ClusterError::Malformed("an answer to another question".to_owned())
}

impl Listing {
    fn question(&self, source: &Source, settings: &WatchSettings) -> Question {
        let address = source.address;
        let Some(cursor) = source.cursor else {
            // Only where to begin.
            let finality = Finality::Finalized;
            return Question::Signatures {
                address,
                before: None,
                until: None,
                known_at: None,
                limit: 1,
                finality,
            };
        };
        Question::Signatures {
            address,
            before: self.entries.last().map(|oldest| oldest.signature),
            until: cursor.signature,
            known_at: self.entries.first().map(|newest| newest.slot),
            limit: settings.page.get(),
            finality: settings.told_at,
        }
    }

    fn add(&mut self, page: Vec<Listed>, source: &Source, settings: &WatchSettings) {
        self.pages += 1;
        let (done, length) = (source.done_slot(), page.len());
        if source.cursor.is_none() {
            self.entries = page;
            self.state = State::Whole;
            return;
        }
        let before = self.entries.len();
        self.entries.extend(page.into_iter().filter(|entry| entry.slot > done));
        let reaches_back = self.entries.len() - before < length;
        self.state = if reaches_back || length < settings.page.get() {
            State::Whole
        } else if self.pages >= settings.pages {
            State::TooLong
        } else {
            State::Open
        };
    }
}
