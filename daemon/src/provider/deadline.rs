//! An answer that has arrived counts, however late somebody looks at the clock.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::gate::Gate;
use super::timing::Timing;

/// At most this much is given for a time in which this process did not run.
const MOST_FOR_A_FREEZE: Duration = Duration::from_secs(10);

/// What the request brings until its time is over. The answer is looked at first and the clock after it.
///
/// A process that was frozen (a debugger, a freezer of cgroups, a machine that swaps) sees both at once when it goes
/// on: its answer, which lies in the socket, and the end of the time. The tasks of the HTTP library have to run before
/// the answer is here, so the request gets a grace, and a longer one if the end of the time was noticed late. A request
/// that was not sent by then is not sent any more: its gate is closed.
pub(super) async fn answer_first<T>(request: impl Future<Output = T>, timing: Timing, gate: &Gate) -> Option<T> {
    let mut request = pin!(request);
    let end = Instant::now() + timing.whole;
    tokio::select! {
        biased;
        ended = &mut request => return Some(ended),
        () = sleep_until(end) => {}
    }
    let late = end.elapsed().min(MOST_FOR_A_FREEZE);
    if gate.close() {
        return None;
    }
    timeout(timing.grace + late, request).await.ok()
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use bytes::Bytes;

    use super::*;

    const TIMING: Timing = Timing { whole: Duration::ZERO, grace: Duration::from_secs(600), ..Timing::PRODUCTION };

    /// Passed: the request is on its way.
    fn passed() -> Gate {
        let gate = Gate::default();
        let _body = gate.body(Bytes::new());
        gate
    }

    #[tokio::test]
    async fn an_answer_that_is_there_when_the_time_is_over_counts() {
        assert_eq!(answer_first(std::future::ready(7), TIMING, &Gate::default()).await, Some(7));
    }

    #[tokio::test]
    async fn an_answer_that_other_tasks_have_to_bring_first_counts() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let brings = async {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            sender.send(7).unwrap();
        };
        let gate = passed();
        let (answer, ()) = tokio::join!(answer_first(receiver, TIMING, &gate), brings);
        assert_eq!(answer, Some(Ok(7)));
    }

    #[tokio::test]
    async fn what_was_not_sent_in_time_is_not_sent_any_more() {
        let gate = Gate::default();
        let answer = answer_first(std::future::pending::<()>(), TIMING, &gate).await;
        assert_eq!(answer, None, "without the grace of ten minutes");
        assert!(gate.close());
    }

    #[tokio::test]
    async fn the_grace_has_an_end() {
        let timing = Timing { grace: Duration::from_millis(1), ..TIMING };
        let never = std::future::poll_fn(|_| Poll::<()>::Pending);
        assert_eq!(answer_first(never, timing, &passed()).await, None);
    }
}
