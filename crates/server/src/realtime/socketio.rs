//! Socket.IO v4: rooms as subscriptions, with an acknowledgement. System B's `<email>-send` is in
//! [`email_send`].
//!
//! `subscribe` takes a room and, after a reconnect, the last sequence that was seen; the same
//! [`Watch`] as for server-sent events says what was missed. A socket whose buffer is full is
//! disconnected, never waited for, and so is one that asks for more than can wait.

use axum::Router;
use axum::middleware;
use commerce::{AuctionId, BidId, OrderId, Sku};
use serde_json::{Value, json};
use socketioxide::extract::{AckSender, SocketRef, State, TryData};
use socketioxide::{SendError, SocketError, SocketIo};
use tokio_util::sync::CancellationToken;

use crate::realtime::rooms::{ROOMS_MAX, Rooms};
use crate::realtime::turns::{Turn, Turns, leave_behind};
use crate::realtime::watch::{Watch, WatchError};
use crate::realtime::{email_send, handshake};
use crate::state::App;

/// Packets that may wait for one socket.
pub(super) const BUFFER: usize = 256;
/// What a client may send in one packet, in bytes.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

struct Refused {
    code: &'static str,
    detail: String,
    /// The option at fault.
    field: Option<String>,
}

impl Refused {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            field: None,
        }
    }

    fn argument(field: Option<&str>, detail: &str) -> Self {
        Self {
            field: field.map(str::to_owned),
            ..Self::new("invalid_parameter", detail)
        }
    }

    fn acknowledgement(&self) -> Value {
        let mut answer = json!({"ok": false, "code": self.code, "detail": self.detail});
        if let Some(field) = &self.field {
            answer["field"] = json!(field);
        }
        answer
    }
}

impl From<WatchError> for Refused {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::TooMany => {
                Self::new("overloaded", "as many listeners as this server takes")
            }
            WatchError::Engine(_) => Self::new("outcome_unknown", "the store cannot be read now"),
        }
    }
}

/// The path that Socket.IO clients ask for.
pub(super) const PATH: &str = "/socket.io/";

/// Answers [`PATH`] beside the other routes. Not a layer around all of them: other requests
/// need not pass through it.
pub fn mount(app: &App, router: Router) -> (Router, SocketIo) {
    let (service, io) = SocketIo::builder()
        .with_state(app.clone())
        .max_buffer_size(BUFFER)
        .max_payload(PAYLOAD_BYTES_MAX as u64)
        // A message of many frames is one packet as well.
        .ws_max_message_size(PAYLOAD_BYTES_MAX)
        .ws_max_frame_size(PAYLOAD_BYTES_MAX)
        .build_svc();
    io.ns("/", connected);
    let routes = Router::new()
        .route_service(PATH, service)
        .route_layer(middleware::from_fn(handshake::check));
    (router.merge(routes), io)
}

pub(super) async fn connected(socket: SocketRef) {
    socket.extensions.insert(Rooms::default());
    socket.extensions.insert(Turns::new());
    socket.on("subscribe", subscribe);
    socket.on("unsubscribe", unsubscribe);
    socket.on_disconnect(async |socket: SocketRef| {
        if let Some(rooms) = socket.extensions.get::<Rooms>() {
            rooms.leave_all();
        }
    });
}

async fn subscribe(
    turn: Turn,
    socket: SocketRef,
    TryData(with_options): TryData<(String, Value)>,
    TryData(alone): TryData<(String,)>,
    ack: AckSender,
    State(app): State<App>,
) {
    let _at_work = turn.comes().await;
    let (room, options) = match (with_options, alone) {
        (Ok((room, options)), _) => (room, options),
        (Err(_), Ok((room,))) => (room, Value::Null),
        (Err(_), Err(_)) => {
            let refused = Refused::argument(None, "subscribe takes a room and perhaps {since}");
            acknowledge(socket, ack, &refused.acknowledgement());
            return;
        }
    };
    let entered = match since_of(&options) {
        Ok(since) => enter(&socket, &app, &room, since).await,
        Err(refused) => Err(refused),
    };
    let answer = match entered {
        Ok(seq) => json!({"ok": true, "seq": seq, "room": room}),
        Err(refused) => refused.acknowledgement(),
    };
    acknowledge(socket, ack, &answer);
}

fn acknowledge(socket: SocketRef, ack: AckSender, answer: &Value) {
    if let Err(SendError::Socket(SocketError::InternalChannelFull)) = ack.send(answer) {
        leave_behind(socket);
    }
}

/// The `since` of the options. `null` is how JavaScript's `undefined` arrives; a text of digits is
/// what an `EventSource` has as its last event's id.
fn since_of(options: &Value) -> Result<Option<u64>, Refused> {
    const SINCE: &str = "since";
    let options = match options {
        Value::Null => return Ok(None),
        Value::Object(options) => options,
        _ => return Err(Refused::argument(None, "the options must be {since}")),
    };
    if let Some(unknown) = options.keys().find(|name| *name != SINCE) {
        return Err(Refused::argument(Some(unknown), "the only option is since"));
    }
    let since = match options.get(SINCE) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()
        }
        Some(_) => None,
    };
    since.map(Some).ok_or_else(|| {
        let detail = "since must be the seq of an event: a whole number, or a text of its digits";
        Refused::argument(Some(SINCE), detail)
    })
}

/// Joins a room; the events follow from a task of their own.
async fn enter(
    socket: &SocketRef,
    app: &App,
    room: &str,
    since: Option<u64>,
) -> Result<u64, Refused> {
    let watch = watch(app, room, since).await?;
    let rooms = socket.extensions.get::<Rooms>().unwrap_or_default();
    let cancel = rooms
        .enter(room, &app.cancel)
        .ok_or_else(|| Refused::new("too_many", format!("a socket may be in {ROOMS_MAX} rooms")))?;
    if !socket.connected() {
        rooms.leave_all();
    }
    let seq = app.engine.feed().last_seq();
    tokio::spawn(tell(socket.clone(), watch, cancel));
    Ok(seq)
}

async fn watch(app: &App, room: &str, since: Option<u64>) -> Result<Watch, Refused> {
    let unknown = || {
        Refused::new(
            "not_found",
            "rooms are orders/<id>, products/<sku>, auctions/<id>, both also with /latest, and bids/<id>",
        )
    };
    // Neither a sku nor an id has a slash.
    let (room, latest) = match room.strip_suffix("/latest") {
        Some(room) => (room, true),
        None => (room, false),
    };
    match room.split_once('/') {
        Some(("orders" | "bids", _)) if latest => Err(unknown()),
        Some(("orders", id)) => {
            let no_order = || Refused::new("order_not_found", "no order has this id");
            let id = OrderId::parse(id).map_err(|_| no_order())?;
            let order = crate::http::orders::find(app, id)
                .await
                .map_err(WatchError::from)?
                .ok_or_else(no_order)?;
            Ok(Watch::order(app, order).await?)
        }
        Some(("products", sku)) => {
            let no_product = || Refused::new("product_not_found", "no product has this sku");
            let sku = Sku::new(sku).map_err(|_| no_product())?;
            let wanted = sku.clone();
            let product = app
                .engine
                .read(move |reader| reader.product(&wanted))
                .await
                .map_err(WatchError::from)?
                .ok_or_else(no_product)?;
            Ok(match latest {
                true => Watch::latest(app, product.id, &sku, since).await?,
                false => Watch::product(app, product.id, &sku, since).await?,
            })
        }
        Some(("auctions", id)) => {
            let no_auction = || Refused::new("auction_not_found", "no auction has this id");
            let id = AuctionId::parse(id).map_err(|_| no_auction())?;
            let found = crate::http::auctions::find(app, id).await;
            found.map_err(WatchError::from)?.ok_or_else(no_auction)?;
            Ok(match latest {
                true => Watch::auction_as_it_stands(app, id, since).await?,
                false => Watch::auction(app, id, since).await?,
            })
        }
        Some(("bids", id)) => {
            let no_bid = || Refused::new("bid_not_found", "no bid has this id");
            let id = BidId::parse(id).map_err(|_| no_bid())?;
            let found = crate::http::auctions::find_bid(app, id).await;
            let (bid, _) = found.map_err(WatchError::from)?.ok_or_else(no_bid)?;
            Ok(Watch::bid(app, &bid, since).await?)
        }
        Some(_) | None => Err(unknown()),
    }
}

async fn tell(socket: SocketRef, mut watch: Watch, cancel: CancellationToken) {
    loop {
        let event = tokio::select! {
            () = cancel.cancelled() => return,
            event = watch.next() => event,
        };
        let Some(event) = event else {
            // Too slow for the feed: the client comes back and says what it saw last.
            leave_behind(socket);
            return;
        };
        let data: Value = serde_json::from_str(&event.json).expect("written as JSON before");
        match socket.emit(event.name, &data) {
            Ok(()) => {}
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                metrics::counter!("firstcome_feed_dropped_total").increment(1);
                leave_behind(socket);
                return;
            }
            Err(_) => return,
        }
    }
}

async fn unsubscribe(
    turn: Turn,
    socket: SocketRef,
    TryData(room): TryData<String>,
    ack: AckSender,
) {
    let _at_work = turn.comes().await;
    let left = match (room, socket.extensions.get::<Rooms>()) {
        (Ok(room), Some(rooms)) => rooms.leave(&room),
        _ => false,
    };
    acknowledge(socket, ack, &json!({"ok": left}));
}

/// Tells every socket every verdict under the buyer's address, from now on. Only when the setting says so.
pub fn run_email_send(app: App, io: SocketIo) -> impl Future<Output = ()> + Send + 'static {
    let feed = app.engine.feed();
    // From here, and not from where the log is when it first has a turn.
    let tail = feed.tail(feed.last_seq(), app.engine.reader());
    email_send::run(tail, io, app.cancel.clone())
}
