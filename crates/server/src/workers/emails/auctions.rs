//! Auctions that closed, for their winners.

use commerce::{AuctionId, Email};
use effects::mails::{self, NewMail};
use mail::texts::AuctionWon;
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

impl Emails {
    pub(super) async fn hear_close(&self, body: &str) -> Result<(), Stopped> {
        let event: Event<Close> = parse(body)?;
        let id = AuctionId::parse(&event.data.auction)
            .map_err(|_| poison("the message names no auction"))?;
        let found = self
            .engine
            .read(move |reader| reader.auction(id.seq))
            .await?;
        let auction = found
            .filter(|found| found.id() == id)
            .map(|found| found.auction);
        let Some(auction) = auction else {
            return Err(poison("no auction has this id"));
        };
        let reader = self.mailer.reader();
        let link = self.link(&format!("/saleroom/{id}"));
        let now = self.engine.now();
        let write = |winner: &Winner| {
            let award = auction.awards.iter().find(|award| award.no == winner.no)?;
            // Names that are no address are somebody else's to reach.
            let address = Email::new(award.bidder.as_str()).ok()?;
            let text = AuctionWon {
                product: &auction.product,
                price: award.price,
                currency: auction.terms.currency,
                closed_at: event.at,
                link: link.as_ref(),
            }
            .write(reader);
            Some(NewMail {
                id: format!("auction-{}-won-{}", id.seq, winner.no),
                kind: "auction.won",
                recipient: address.to_string(),
                lang: reader.language.tag(),
                order_seq: None,
                event: event.seq,
                after: None,
                subject: text.subject,
                text: text.text,
                html: text.html,
                created_at: now,
            })
        };
        let written: Vec<NewMail> = event.data.winners.iter().filter_map(write).collect();
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
