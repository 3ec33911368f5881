//! Against a server that is told how to behave: what each behaviour becomes, and what it does
//! to the connections.

mod responder;
mod security;

use std::time::Duration;

use super::*;
use crate::message::{Message, Party};
use crate::outcome::{Refusal, RefusalCause};

use responder::{Answer, Responder};

/// Of a test whose server hangs.
const SHORT: Duration = Duration::from_millis(300);

fn mail(id: &str) -> Composed {
    Message {
        id: id.to_owned(),
        from: Party::named("먼저", "shop@example.com"),
        to: Party::new("kim@example.com"),
        reply_to: None,
        subject: "안녕".to_owned(),
        text: "one\n.\n..two\n.\r\nRSET".to_owned(),
        html: None,
        headers: Vec::new(),
        at: 1_764_000_000_000,
    }
    .compose()
    .unwrap()
}

fn settings(responder: &Responder) -> SmtpSettings {
    SmtpSettings {
        port: Some(responder.address.port()),
        ..SmtpSettings::new("127.0.0.1", Tls::None)
    }
}

fn impatient(responder: &Responder) -> SmtpSettings {
    SmtpSettings {
        timeouts: Timeouts {
            connect: SHORT,
            send: SHORT * 2,
            ..Timeouts::default()
        },
        ..settings(responder)
    }
}

fn verbs(responder: &Responder) -> Vec<String> {
    let first_word = |line: &String| line.split(' ').next().unwrap_or_default().to_owned();
    responder.seen().lines.iter().map(first_word).collect()
}

#[tokio::test]
async fn an_e_mail_arrives_as_it_was_written_and_the_connection_is_used_again() {
    let server = Responder::answering(&[]);
    let smtp = Smtp::new(&settings(&server)).unwrap();
    for id in ["a", "b"] {
        assert_eq!(
            smtp.send(&mail(id)).await,
            Outcome::Delivered {
                reply: "2.0.0 queued as 4711".to_owned()
            }
        );
    }
    let seen = server.seen();
    assert_eq!((seen.connections, seen.mails.len()), (1, 2));
    for (taken, id) in seen.mails.iter().zip(["a", "b"]) {
        // One line end more than was written, before the dot.
        assert_eq!(taken.strip_suffix(b"\r\n").unwrap(), mail(id).bytes());
    }
    assert!(
        seen.lines
            .contains(&"MAIL FROM:<shop@example.com>".to_owned())
    );
    assert!(seen.lines.contains(&"RCPT TO:<kim@example.com>".to_owned()));
    smtp.close().await;
    assert_eq!(verbs(&server).last().map(String::as_str), Some("QUIT"));
}

#[tokio::test]
async fn replies_of_five_hundred_are_refusals_and_of_four_hundred_are_not() {
    let check = async |when: &'static str, text: &'static str, expected: Outcome| {
        let server = Responder::answering(&[(when, &[Answer::Say(text)])]);
        let smtp = Smtp::new(&settings(&server)).unwrap();
        assert_eq!(smtp.send(&mail("a")).await, expected, "{when} {text}");
        assert_eq!(server.seen().mails.len(), 0);
    };
    let refused = |code, text: &str| {
        Outcome::Refused(Refusal {
            cause: RefusalCause::ServerSaidNo,
            reply_code: Some(code),
            text: text.to_owned(),
        })
    };
    let later = |code, text: &str| {
        Outcome::Failed(Failure {
            reply_code: Some(code),
            over_this_mail: true,
            ..Failure::new(FailureCause::ServerSaidLater, text)
        })
    };
    let unwelcome = |code, text: &str| {
        Outcome::Failed(Failure {
            reply_code: Some(code),
            ..Failure::new(FailureCause::ServerSaidLater, text)
        })
    };
    let kim = crate::hashed("kim@example.com");
    check(
        "MAIL",
        "550 5.1.8 bad sender",
        refused(550, "5.1.8 bad sender"),
    )
    .await;
    check(
        "RCPT",
        "550-5.1.1 <Kim@example.com>:\r\n550 5.1.1 no such user",
        refused(550, &format!("5.1.1 <{kim}>: no such user")),
    )
    .await;
    check(
        "RCPT",
        "450 4.2.1 greylisted",
        later(450, "4.2.1 greylisted"),
    )
    .await;
    check("DATA", "452 no room", later(452, "no room")).await;
    check(
        "content",
        "554 message rejected",
        refused(554, "message rejected"),
    )
    .await;
    check(
        "content",
        "454 Throttling failure: Maximum sending rate exceeded.",
        later(454, "Throttling failure: Maximum sending rate exceeded."),
    )
    .await;
    check("MAIL", "421 closing", later(421, "closing")).await;
    // However final: before the e-mail was spoken of, it is not about the e-mail.
    check("greeting", "554 no service", unwelcome(554, "no service")).await;
    check("greeting", "421 too busy", unwelcome(421, "too busy")).await;
    check("EHLO", "550 go away", unwelcome(550, "go away")).await;
}

#[tokio::test]
async fn a_server_that_leaves_or_talks_nonsense_is_a_failure() {
    let check = async |when: &'static str, answer: Answer, may_have_been_taken: bool| {
        let server = Responder::answering(&[(when, &[answer])]);
        let smtp = Smtp::new(&settings(&server)).unwrap();
        let Outcome::Failed(failure) = smtp.send(&mail("a")).await else {
            panic!("{when} is not a failure");
        };
        assert_eq!(
            (failure.cause, failure.may_have_been_taken),
            (FailureCause::Interrupted, may_have_been_taken),
            "{when}: {}",
            failure.text
        );
        let of_the_server = ["greeting", "EHLO"].contains(&when);
        assert_eq!(failure.over_this_mail, !of_the_server, "{when}");
    };
    for when in ["greeting", "EHLO", "MAIL", "RCPT", "DATA"] {
        check(when, Answer::Close, false).await;
        check(when, Answer::Say("HTTP/1.1 400 Bad Request"), false).await;
    }
    check("content", Answer::Close, true).await;
    check("content", Answer::Say("nonsense"), true).await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time() {
    let check = async |when: &'static str, may_have_been_taken: bool| {
        let server = Responder::answering(&[(when, &[Answer::Hang])]);
        let smtp = Smtp::new(&impatient(&server)).unwrap();
        let mail = mail("a");
        let sent = tokio::time::timeout(SHORT * 10, smtp.send(&mail));
        let Outcome::Failed(failure) = sent.await.expect("an end in time") else {
            panic!("{when} is not a failure");
        };
        assert_eq!(
            (failure.cause, failure.may_have_been_taken),
            (FailureCause::Timeout, may_have_been_taken),
            "{when}"
        );
        let of_the_server = ["greeting", "EHLO"].contains(&when);
        assert_eq!(failure.over_this_mail, !of_the_server, "{when}");
    };
    for when in ["greeting", "EHLO", "MAIL", "RCPT", "DATA"] {
        check(when, false).await;
    }
    check("content", true).await;
}

/// The trap of a pool: the answer that came too late must not be taken for the next one's.
#[tokio::test]
async fn a_connection_that_was_given_up_is_not_used_again() {
    let server =
        Responder::answering(&[("content", &[Answer::Hang, Answer::Say("554 not this one")])]);
    let smtp = Smtp::new(&impatient(&server)).unwrap();
    assert_eq!(smtp.send(&mail("a")).await.code(), "timeout");
    assert_eq!(smtp.send(&mail("b")).await.code(), "server_said_no");
    assert_eq!(server.seen().connections, 2);
}

/// The same trap, with a server that says a word too many.
#[tokio::test]
async fn a_connection_that_is_out_of_step_is_not_used_again() {
    let check = async |answers: &[Answer], first: &str| {
        let server = Responder::answering(&[("content", answers)]);
        let smtp = Smtp::new(&settings(&server)).unwrap();
        assert_eq!(smtp.send(&mail("a")).await.code(), first);
        assert_eq!(smtp.send(&mail("b")).await.code(), "server_said_no");
        assert_eq!(server.seen().connections, 2);
    };
    let no = Answer::Say("554 not this one");
    check(
        &[Answer::Say("nonsense\r\n250 ok"), no.clone()],
        "interrupted",
    )
    .await;
    check(&[Answer::Say("354 go on"), no.clone()], "interrupted").await;
    check(
        &[Answer::Say("421 closing"), no.clone()],
        "server_said_later",
    )
    .await;

    // It cannot be told from one that took the first, so the second must notice.
    let server = Responder::answering(&[("content", &[Answer::Say("250 ok\r\n250 ok again"), no])]);
    let smtp = Smtp::new(&settings(&server)).unwrap();
    assert!(smtp.send(&mail("a")).await.is_delivered());
    let second = smtp.send(&mail("b")).await;
    assert!(!second.is_delivered(), "{second}");
}

#[tokio::test]
async fn an_answer_to_another_question_is_not_a_yes() {
    for (when, text) in [("MAIL", "354 go on"), ("RCPT", "334 "), ("DATA", "250 ok")] {
        let server = Responder::answering(&[(when, &[Answer::Say(text)])]);
        let smtp = Smtp::new(&settings(&server)).unwrap();
        let outcome = smtp.send(&mail("a")).await;
        assert_eq!(outcome.code(), "interrupted", "{when}");
        assert_eq!(server.seen().mails.len(), 0);
    }
}

#[tokio::test]
async fn a_refusal_does_not_cost_the_connection() {
    let server = Responder::answering(&[(
        "RCPT",
        &[Answer::Say("550 no such user"), Answer::Say("250 ok")],
    )]);
    let smtp = Smtp::new(&settings(&server)).unwrap();
    assert_eq!(smtp.send(&mail("a")).await.code(), "server_said_no");
    assert!(smtp.send(&mail("b")).await.is_delivered());
    assert_eq!(server.seen().connections, 1);
    assert_eq!(
        verbs(&server),
        ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA"]
    );
}

#[tokio::test]
async fn a_server_that_closes_idle_connections_costs_nothing() {
    let server = Responder::answering(&[]);
    let smtp = Smtp::new(&settings(&server)).unwrap();
    assert!(smtp.send(&mail("a")).await.is_delivered());
    server.hang_up();
    assert!(smtp.send(&mail("b")).await.is_delivered());
    assert_eq!(server.seen().connections, 2);
}

#[tokio::test]
async fn one_that_was_idle_for_too_long_is_not_tried() {
    let server = Responder::answering(&[]);
    let timeouts = Timeouts {
        idle: Duration::from_millis(1),
        ..Timeouts::default()
    };
    let smtp = Smtp::new(&SmtpSettings {
        timeouts,
        ..settings(&server)
    })
    .unwrap();
    assert!(smtp.send(&mail("a")).await.is_delivered());
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(smtp.send(&mail("b")).await.is_delivered());
    assert_eq!(server.seen().connections, 2);
    assert!(!verbs(&server).contains(&"RSET".to_owned()));
}

#[tokio::test]
async fn no_more_connections_stand_than_the_setting_says() {
    let server = Responder::answering(&[]);
    let smtp = Smtp::new(&SmtpSettings {
        connections_max: 2,
        ..settings(&server)
    })
    .unwrap();
    let mails: Vec<Composed> = (0..12).map(|n| mail(&format!("m-{n}"))).collect();
    let outcomes = futures_util::future::join_all(mails.iter().map(|mail| smtp.send(mail))).await;
    assert!(outcomes.iter().all(Outcome::is_delivered), "{outcomes:?}");
    let seen = server.seen();
    assert_eq!((seen.mails.len(), seen.connections), (12, 2));
    assert!(seen.at_once <= 2);
}

#[tokio::test]
async fn whoever_gets_no_connection_in_time_is_told() {
    let server = Responder::answering(&[("MAIL", &[Answer::Hang])]);
    let smtp = Smtp::new(&SmtpSettings {
        connections_max: 1,
        ..impatient(&server)
    })
    .unwrap();
    let (a, b) = (mail("a"), mail("b"));
    let (first, second) = tokio::join!(smtp.send(&a), smtp.send(&b));
    let mut codes = [first.code(), second.code()];
    codes.sort_unstable();
    assert_eq!(codes, ["busy", "timeout"]);
}

#[tokio::test]
async fn nobody_at_the_address_is_a_failure() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let smtp = Smtp::new(&SmtpSettings {
        port: Some(port),
        ..SmtpSettings::new("127.0.0.1", Tls::None)
    })
    .unwrap();
    assert_eq!(smtp.send(&mail("a")).await.code(), "connection_refused");
}

#[test]
fn a_setting_that_cannot_work_is_named() {
    let base = || SmtpSettings::new("localhost", Tls::None);
    let check = |settings: SmtpSettings, field: &str| {
        let invalid = Smtp::new(&settings).err().map(|invalid| invalid.field);
        assert_eq!(invalid, Some(field));
    };
    for host in ["", "a b", "a\r\nb", "한국.kr"] {
        check(SmtpSettings::new(host, Tls::None), "host");
    }
    for host in ["mail.example.com", "10.0.0.1", "localhost.example.com"] {
        check(SmtpSettings::new(host, Tls::None), "tls");
    }
    check(
        SmtpSettings {
            port: Some(0),
            ..base()
        },
        "port",
    );
    for connections_max in [0, 101] {
        check(
            SmtpSettings {
                connections_max,
                ..base()
            },
            "connections_max",
        );
    }
    check(
        SmtpSettings {
            hello_name: Some("a\r\nMAIL".to_owned()),
            ..base()
        },
        "hello_name",
    );
    let timeouts = Timeouts {
        send: Duration::ZERO,
        ..Timeouts::default()
    };
    check(SmtpSettings { timeouts, ..base() }, "timeouts.send");
    for (user, password, field) in [("", "x", "user"), ("u", "a\0b", "password")] {
        let credentials = Some(Credentials {
            user: user.to_owned(),
            password: Password::new(password),
        });
        check(
            SmtpSettings {
                credentials,
                ..base()
            },
            field,
        );
    }
    assert!(Smtp::new(&base()).is_ok());
    assert_eq!("starttls".parse(), Ok(Tls::Starttls));
    assert!("opportunistic".parse::<Tls>().is_err());
    assert_eq!(format!("{:?}", Password::new("hunter2")), "Password(..)");
}
