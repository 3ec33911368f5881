//! A server on loopback that speaks just enough SMTP, and can be told to answer badly, late or
//! not at all. Its own threads, blocking: what hangs in it hangs nobody else.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Nothing here waits longer, so that a test that fails still ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// What it does when it is its turn.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Say(&'static str),
    /// Nothing, until the other side leaves.
    Hang,
    /// Leaves without a word.
    Close,
}

#[derive(Default)]
pub(super) struct Script {
    /// `greeting`, `content` (after the last line of an e-mail) or a verb: what to answer in
    /// place of what is right. The first of the list is for the first time, the last for ever.
    pub(super) answers: HashMap<&'static str, Vec<Answer>>,
    /// What EHLO offers besides.
    pub(super) offers: Vec<&'static str>,
    /// From the first byte, or after STARTTLS.
    pub(super) tls: Option<(Arc<rustls::ServerConfig>, bool)>,
}

/// What it took and saw, over all connections.
#[derive(Debug, Default, Clone)]
pub(super) struct Seen {
    pub(super) connections: usize,
    /// As many as stood at once.
    pub(super) at_once: usize,
    pub(super) lines: Vec<String>,
    /// As they came, with the dots of the wire taken out.
    pub(super) mails: Vec<Vec<u8>>,
    standing: usize,
}

pub(super) struct Responder {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    script: Script,
    seen: Mutex<Seen>,
    turns: Mutex<HashMap<&'static str, usize>>,
    streams: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

impl Responder {
    pub(super) fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script,
            seen: Mutex::default(),
            turns: Mutex::default(),
            streams: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || accept(&listener, &shared))
        };
        Self {
            address,
            shared,
            accepting: Some(accepting),
        }
    }

    pub(super) fn answering(answers: &[(&'static str, &[Answer])]) -> Self {
        let answers = answers.iter().map(|(when, what)| (*when, what.to_vec()));
        Self::start(Script {
            answers: answers.collect(),
            ..Script::default()
        })
    }

    pub(super) fn seen(&self) -> Seen {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Hangs up on everybody, as a server that is started again does.
    pub(super) fn hang_up(&self) {
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            // One that is closed already is what was wanted.
            let _closed = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.hang_up();
        // So that the one who accepts looks up.
        let _woken = TcpStream::connect(self.address);
        let accepting = self.accepting.take().unwrap();
        // A second panic while one is on its way would hide the first.
        let ended = accepting.join();
        assert!(std::thread::panicking() || ended.is_ok());
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut talking = Vec::new();
    for stream in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            break;
        }
        let stream = stream.unwrap();
        let to_close = stream.try_clone().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        shared
            .streams
            .lock()
            .unwrap()
            .push(stream.try_clone().unwrap());
        let shared = Arc::clone(shared);
        talking.push(std::thread::spawn(move || {
            shared.arrive();
            // However it ends: the other side's outcome is what is tested.
            let _ended = shared.talk(stream);
            let _closed = to_close.shutdown(Shutdown::Both);
            shared.seen.lock().unwrap().standing -= 1;
        }));
    }
    for one in talking {
        one.join().unwrap();
    }
}

impl Shared {
    fn arrive(&self) {
        let mut seen = self.seen.lock().unwrap();
        seen.connections += 1;
        seen.standing += 1;
        seen.at_once = seen.at_once.max(seen.standing);
    }

    fn talk(&self, stream: TcpStream) -> io::Result<()> {
        match &self.script.tls {
            Some((config, true)) => {
                let session = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
                self.converse(rustls::StreamOwned::new(session, stream), true)
                    .map(|_| ())
            }
            Some((config, false)) => {
                let Some(stream) = self.converse(stream, true)? else {
                    return Ok(());
                };
                let session = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
                self.converse(rustls::StreamOwned::new(session, stream), false)
                    .map(|_| ())
            }
            None => self.converse(stream, true).map(|_| ()),
        }
    }

    /// Gives the stream back where TLS is to begin on it.
    fn converse<S: Read + Write>(&self, stream: S, greets: bool) -> io::Result<Option<S>> {
        let mut stream = BufReader::new(stream);
        if greets && !self.answer(&mut stream, "greeting", "220 test ESMTP")? {
            return Ok(None);
        }
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            self.seen
                .lock()
                .unwrap()
                .lines
                .push(line.trim_end().to_owned());
            let verb = line.split([' ', '\r']).next().unwrap_or_default();
            let goes_on = match verb.to_ascii_uppercase().as_str() {
                "EHLO" => {
                    let right = self.offers();
                    self.answer(&mut stream, "EHLO", &right)?
                }
                "STARTTLS" => {
                    let goes_on = self.answer(&mut stream, "STARTTLS", "220 go ahead")?;
                    if goes_on && self.script.tls.is_some() {
                        return Ok(Some(stream.into_inner()));
                    }
                    goes_on
                }
                "AUTH" => self.answer(&mut stream, "AUTH", "235 welcome")?,
                "MAIL" => self.answer(&mut stream, "MAIL", "250 sender ok")?,
                "RCPT" => self.answer(&mut stream, "RCPT", "250 recipient ok")?,
                "DATA" => self.data(&mut stream)?,
                "RSET" => self.answer(&mut stream, "RSET", "250 reset")?,
                "QUIT" => {
                    self.answer(&mut stream, "QUIT", "221 bye")?;
                    false
                }
                _ => self.answer(&mut stream, "other", "500 what?")?,
            };
            if !goes_on {
                return Ok(None);
            }
        }
    }

    fn offers(&self) -> String {
        let mut lines = vec!["250-test".to_owned()];
        for offer in &self.script.offers {
            lines.push(format!("250-{offer}"));
        }
        lines.push("250 SIZE 10000000".to_owned());
        lines.join("\r\n")
    }

    fn data<S: Read + Write>(&self, stream: &mut BufReader<S>) -> io::Result<bool> {
        let answer = self.turn("DATA", "354 go on");
        let accepts = matches!(&answer, Answer::Say(text) if text.starts_with('3'));
        if !act(stream, &answer)? || !accepts {
            return Ok(matches!(answer, Answer::Say(_)));
        }
        let mut mail = Vec::new();
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line)? == 0 {
                return Ok(false);
            }
            if line == b".\r\n" {
                break;
            }
            let line = line.strip_prefix(b".").unwrap_or(&line);
            mail.extend_from_slice(line);
        }
        let answer = self.turn("content", "250 2.0.0 queued as 4711");
        if matches!(&answer, Answer::Say(text) if text.starts_with('2')) {
            self.seen.lock().unwrap().mails.push(mail);
        }
        act(stream, &answer)
    }

    fn answer<S: Read + Write>(
        &self,
        stream: &mut BufReader<S>,
        when: &'static str,
        right: &str,
    ) -> io::Result<bool> {
        match self.script.answers.contains_key(when) {
            true => act(stream, &self.turn(when, "")),
            false => write(stream, right),
        }
    }

    fn turn(&self, when: &'static str, right: &'static str) -> Answer {
        let Some(answers) = self.script.answers.get(when) else {
            return Answer::Say(right);
        };
        let mut turns = self.turns.lock().unwrap();
        let turn = turns.entry(when).or_default();
        let answer = answers[(*turn).min(answers.len() - 1)].clone();
        *turn += 1;
        answer
    }
}

fn act<S: Read + Write>(stream: &mut BufReader<S>, answer: &Answer) -> io::Result<bool> {
    match answer {
        Answer::Say(text) => write(stream, text),
        Answer::Hang => {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest)?;
            Ok(false)
        }
        Answer::Close => Ok(false),
    }
}

fn write<S: Read + Write>(stream: &mut BufReader<S>, text: &str) -> io::Result<bool> {
    let stream = stream.get_mut();
    stream.write_all(format!("{text}\r\n").as_bytes())?;
    stream.flush()?;
    Ok(true)
}
