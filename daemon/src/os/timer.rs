//! Waiting for a moment of boot time, and for steps of the wall clock. tokio's own timers count CLOCK_MONOTONIC, which
//! stands still in suspend.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::core::time::BootTime;

/// Fires at one moment of boot time.
#[derive(Debug)]
pub struct BootTimer(AsyncFd<Timer>);

impl BootTimer {
    /// A timer that is not set. Belongs to the runtime it is made in.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Timer::new(ClockId::CLOCK_BOOTTIME).map(Self)
    }

    /// Sets the moment, in place of the one before; one that has passed fires at once. `None` never fires.
    ///
    /// # Errors
    /// timerfd_settime(2) names none that could happen.
    pub fn set(&mut self, moment: Option<BootTime>) -> io::Result<()> {
        let timer = &self.0.get_ref().0;
        match moment {
            // Zero would unset it.
            Some(BootTime(moment)) => {
                let moment = TimeSpec::from_duration(Duration::from_millis(moment.max(1)));
                timer.set(Expiration::OneShot(moment), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            }
            None => timer.unset()?,
        }
        Ok(())
    }

    /// Sets the moment that is so far away, in place of the one before. May be called while somebody waits.
    ///
    /// # Errors
    /// timerfd_settime(2) names none that could happen.
    pub fn set_in(&self, span: Duration) -> io::Result<()> {
        // Zero would unset it.
        let span = TimeSpec::from_duration(span.max(Duration::from_nanos(1)));
        Ok(self.0.get_ref().0.set(Expiration::OneShot(span), TimerSetTimeFlags::empty())?)
    }

    /// Waits for the moment; returns once for each that was set. May be dropped and called again without losing it.
    ///
    /// # Errors
    /// When the runtime is shutting down.
    pub async fn expired(&self) -> io::Result<()> {
        self.0.async_io(Interest::READABLE, |timer| timer.read().map_err(Into::into)).await
    }
}

/// Beats at an interval. One wake-up for each tick, where tokio's own timers wake their thread up to three times for a
/// long interval. CLOCK_MONOTONIC, as a service manager counts.
#[derive(Debug)]
pub struct Interval(AsyncFd<Timer>);

impl Interval {
    /// Beats from now on, first after one interval. Belongs to the runtime it is made in.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn new(interval: Duration) -> io::Result<Self> {
        let timer = Timer::new(ClockId::CLOCK_MONOTONIC)?;
        // Zero would unset it.
        let interval = TimeSpec::from_duration(interval.max(Duration::from_millis(1)));
        timer.get_ref().0.set(Expiration::Interval(interval), TimerSetTimeFlags::empty())?;
        Ok(Self(timer))
    }

    /// Waits for the next tick; those that were missed are one. May be dropped and called again without losing any.
    ///
    /// # Errors
    /// When the runtime is shutting down.
    pub async fn tick(&mut self) -> io::Result<()> {
        self.0.async_io(Interest::READABLE, |timer| timer.read().map_err(Into::into)).await
    }
}

/// Tells when somebody sets the wall clock.
#[derive(Debug)]
pub struct ClockStepWatch(AsyncFd<Timer>);

impl ClockStepWatch {
    /// Seconds since 1970 that are far off and that the kernel can still count in nanoseconds: the year 2255.
    const NEVER: Duration = Duration::from_secs(9_000_000_000);

    /// Watches from now on. Belongs to the runtime it is made in.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let watch = Self(Timer::new(ClockId::CLOCK_REALTIME)?);
        watch.arm()?;
        Ok(watch)
    }

    /// Waits for a step. Several in a row may be told as one. May be dropped and called again without losing any.
    ///
    /// # Errors
    /// When the runtime is shutting down.
    pub async fn clock_stepped(&mut self) -> io::Result<()> {
        self.0.async_io(Interest::READABLE, |timer| stepped(timer.read())).await?;
        self.arm()
    }

    fn arm(&self) -> io::Result<()> {
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        let armed = self.0.get_ref().0.set(Expiration::OneShot(TimeSpec::from_duration(Self::NEVER)), flags);
        // The clock was set in between; the timer is armed all the same.
        stepped(armed)
    }
}

/// timerfd_create(2), TFD_TIMER_CANCEL_ON_SET: the kernel reports a step as ECANCELED, and in 2255 by expiry.
fn stepped(outcome: Result<(), Errno>) -> io::Result<()> {
    match outcome {
        Ok(()) | Err(Errno::ECANCELED) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// A [`TimerFd`] as tokio wants it.
#[derive(Debug)]
struct Timer(TimerFd);

impl Timer {
    #[expect(
        deprecated,
        reason = "its successor is unsafe; what it asks for, a descriptor of its own that stays, holds"
    )]
    fn new(clock: ClockId) -> io::Result<AsyncFd<Self>> {
        let timer = TimerFd::new(clock, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        AsyncFd::with_interest(Self(timer), Interest::READABLE)
    }

    /// EAGAIN: not yet. ECANCELED: the clock was set. `TimerFd::wait` would not tell it from expiry.
    fn read(&self) -> Result<(), Errno> {
        nix::unistd::read(&self.0, &mut [0; 8]).map(drop)
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::task::Poll;

    use super::*;
    use crate::os::clock::Clock;

    const LIMIT: Duration = Duration::from_secs(20);

    /// Whether it is ready without waiting.
    async fn is_ready(future: impl Future<Output = io::Result<()>>) -> bool {
        // Let the runtime look at its descriptors first.
        tokio::task::yield_now().await;
        let mut future = pin!(future);
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn a_timer_fires_at_its_moment_and_once() {
        let clock = Clock::new();
        let mut timer = BootTimer::new().unwrap();
        let moment = clock.boot() + Duration::from_millis(30);
        timer.set(Some(moment)).unwrap();
        tokio::time::timeout(LIMIT, timer.expired()).await.unwrap().unwrap();
        assert!(clock.boot() >= moment);
        assert!(!is_ready(timer.expired()).await);
    }

    #[tokio::test]
    async fn a_moment_that_has_passed_fires_at_once() {
        let mut timer = BootTimer::new().unwrap();
        for moment in [BootTime(0), BootTime(1), Clock::new().boot()] {
            timer.set(Some(moment)).unwrap();
            tokio::time::timeout(LIMIT, timer.expired()).await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_moment_is_replaced_or_taken_away() {
        let clock = Clock::new();
        let mut timer = BootTimer::new().unwrap();
        // Passed, and never looked at before it is replaced.
        timer.set(Some(BootTime(1))).unwrap();
        timer.set(Some(BootTime(u64::MAX))).unwrap();
        assert!(!is_ready(timer.expired()).await);
        timer.set(Some(BootTime(1))).unwrap();
        timer.set(None).unwrap();
        assert!(!is_ready(timer.expired()).await);
        timer.set(Some(clock.boot())).unwrap();
        tokio::time::timeout(LIMIT, timer.expired()).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_span_is_counted_from_now_on_and_may_be_none() {
        let clock = Clock::new();
        let timer = BootTimer::new().unwrap();
        for span in [Duration::from_millis(30), Duration::ZERO] {
            let before = clock.boot();
            timer.set_in(Duration::from_secs(3_600)).unwrap();
            timer.set_in(span).unwrap();
            tokio::time::timeout(LIMIT, timer.expired()).await.unwrap().unwrap();
            assert!(clock.boot().since(before) >= span);
            assert!(!is_ready(timer.expired()).await);
        }
    }

    #[tokio::test]
    async fn a_clock_that_nobody_sets_does_not_step() {
        let mut watch = ClockStepWatch::new().unwrap();
        assert!(!is_ready(watch.clock_stepped()).await);
        assert!(watch.0.get_ref().0.get().unwrap().is_some(), "it is armed");
    }

    #[test]
    fn a_step_is_told_as_cancellation_and_nothing_else_is() {
        assert!(stepped(Err(Errno::ECANCELED)).is_ok());
        assert_eq!(stepped(Err(Errno::EAGAIN)).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
