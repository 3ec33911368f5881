//! The codecs of SQS and SNS from outside: requests that real clients sent, the answers that they took, Amazon's own
//! vectors, round trips, and input that nobody would send.

#[cfg(test)]
mod answers_sns;
#[cfg(test)]
mod answers_sqs;
#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod golden_answers;
#[cfg(test)]
mod golden_scenarios;
#[cfg(test)]
mod golden_sns;
#[cfg(test)]
mod golden_sqs;
#[cfg(test)]
mod http;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod sigv4_suite;
#[cfg(test)]
mod values;
#[cfg(test)]
mod xml;
