//! Auctions that closed, for their winners; and lots that became free again, for the next in order.
//!
//! Every link carries the id of the reader's bid behind a `#`, which no server and no log sees: on
//! whichever device it is opened, the page knows whose bid it is.

use commerce::auction::{Auction, Award, AwardStatus};
use commerce::{AuctionId, BidId, Email};
use effects::mails::{self, NewMail};
use mail::texts::{AuctionOffered, AuctionWon, Link, Text};
use serde::Deserialize;

use super::{Emails, Event, Stopped, parse, poison};

#[derive(Deserialize)]
struct Close {
    auction: String,
    #[serde(default)]
    winners: Vec<Winner>,
}

/// The name is masked there: the auction itself knows it, by the bid's number.
#[derive(Deserialize)]
struct Winner {
    no: u64,
}

#[derive(Deserialize)]
struct Offer {
    auction: String,
}

/// An auction as it stands, and the bids that its awards rest on.
struct Found {
    id: AuctionId,
    auction: Auction,
    bids: Vec<(u64, BidId)>,
}

impl Emails {
    pub(super) async fn hear_close(&self, body: &str) -> Result<(), Stopped> {
        let event: Event<Close> = parse(body)?;
        let found = self.find(&event.data.auction).await?;
        let reader = self.mailer.reader();
        let auction = &found.auction;
        let write = |winner: &Winner| {
            let award = auction.awards.iter().find(|award| award.no == winner.no)?;
            let link = self.link_of(&found, award);
            let text = AuctionWon {
                product: &auction.product,
                price: award.price,
                currency: auction.terms.currency,
                closed_at: event.at,
                link: link.as_ref(),
            }
            .write(reader);
            self.mail("auction.won", "won", &found, award, event.seq, text)
        };
        let written: Vec<NewMail> = event.data.winners.iter().filter_map(write).collect();
        self.add(written).await
    }

    /// There is one offer at a time; one that ran out or was answered meanwhile is told to nobody.
    pub(super) async fn hear_offer(&self, body: &str) -> Result<(), Stopped> {
        let event: Event<Offer> = parse(body)?;
        let found = self.find(&event.data.auction).await?;
        let now = self.engine.now();
        let auction = &found.auction;
        let running = auction.awards.iter().find_map(|award| match award.status {
            AwardStatus::Offered { until } if until > now => Some((award, until)),
            AwardStatus::Offered { .. }
            | AwardStatus::Won
            | AwardStatus::Settled
            | AwardStatus::Forfeited
            | AwardStatus::Declined => None,
        });
        let Some((award, until)) = running else {
            return Ok(());
        };
        let link = self.link_of(&found, award);
        let text = AuctionOffered {
            product: &auction.product,
            price: award.price,
            currency: auction.terms.currency,
            until,
            link: link.as_ref(),
        }
        .write(self.mailer.reader());
        let mail = self.mail("auction.offered", "offered", &found, award, event.seq, text);
        self.add(mail.into_iter().collect()).await
    }

    async fn find(&self, text: &str) -> Result<Found, Stopped> {
        let id = AuctionId::parse(text).map_err(|_| poison("the message names no auction"))?;
        let read = self.engine.read(move |reader| {
            let Some(stored) = reader.auction(id.seq)?.filter(|stored| stored.id() == id) else {
                return Ok(None);
            };
            let mut bids = Vec::new();
            for award in &stored.auction.awards {
                if let Some(bid) = reader.bid(award.bid)? {
                    bids.push((award.bid, bid.id));
                }
            }
            let auction = stored.auction;
            Ok(Some(Found { id, auction, bids }))
        });
        read.await?.ok_or_else(|| poison("no auction has this id"))
    }

    fn link_of(&self, found: &Found, award: &Award) -> Option<Link> {
        let bid = found.bids.iter().find(|(seq, _)| *seq == award.bid);
        let fragment = bid.map_or(String::new(), |(_, bid)| format!("#bid={bid}"));
        self.link(&format!("/saleroom/{}{fragment}", found.id))
    }

    fn mail(
        &self,
        kind: &'static str,
        what: &str,
        found: &Found,
        award: &Award,
        event: u64,
        text: Text,
    ) -> Option<NewMail> {
        // Names that are no address are somebody else's to reach.
        let address = Email::new(award.bidder.as_str()).ok()?;
        Some(NewMail {
            id: format!("auction-{}-{what}-{}", found.id.seq, award.no),
            kind,
            recipient: address.to_string(),
            lang: self.mailer.reader().language.tag(),
            order_seq: None,
            event,
            after: None,
            subject: text.subject,
            text: text.text,
            html: text.html,
            created_at: self.engine.now(),
        })
    }

    async fn add(&self, written: Vec<NewMail>) -> Result<(), Stopped> {
        self.effects
            .0
            .write(move |transaction| {
                for mail in &written {
                    mails::add(transaction, mail)?;
                }
                Ok(())
            })
            .await?;
        Ok(())
    }
}
