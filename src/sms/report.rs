//! The way of reports from binds to whoever listens.
//!
//! A bind hands over all that a turn of its task has told at once, so that the channel is crossed
//! and the listener woken once for many answers.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::order::News;

/// What happened at a bind.
#[derive(Debug)]
pub struct Report {
    /// The bind's name, as in the configuration.
    pub bind: Arc<str>,
    /// What happened.
    pub news: News,
}

/// All that happened at a bind since its last word, in order; not empty.
#[derive(Debug)]
pub struct Batch {
    /// The bind's name, as in the configuration.
    pub bind: Arc<str>,
    /// What happened.
    pub news: Vec<News>,
}

/// Where binds report to. Clones are one.
#[derive(Debug, Clone)]
pub struct Reporter {
    to: mpsc::Sender<Batch>,
}

/// Where reports arrive.
#[derive(Debug)]
pub struct Reports {
    from: mpsc::Receiver<Batch>,
    /// What is left of the last batch.
    bind: Option<Arc<str>>,
    news: VecDeque<News>,
}

/// A way for reports that holds so many batches, one at least. A bind whose batch finds no room
/// takes no more orders until there is some.
pub fn reports(room: usize) -> (Reporter, Reports) {
    let (to, from) = mpsc::channel(room.max(1));
    let reports = Reports {
        from,
        bind: None,
        news: VecDeque::new(),
    };
    (Reporter { to }, reports)
}

/// Nobody receives reports any more.
#[derive(Debug)]
pub(super) struct Deserted;

impl Reporter {
    /// Hands over what was told, if there is room and anything was.
    pub(super) fn try_tell(&self, bind: &Arc<str>, news: &mut Vec<News>) {
        if news.is_empty() {
            return;
        }
        if let Ok(permit) = self.to.try_reserve() {
            permit.send(Batch::of(bind, news));
        }
    }

    /// Hands over what was told, once there is room.
    pub(super) async fn tell(&self, bind: &Arc<str>, news: &mut Vec<News>) -> Result<(), Deserted> {
        if news.is_empty() {
            return Ok(());
        }
        let permit = self.to.reserve().await.map_err(|_| Deserted)?;
        permit.send(Batch::of(bind, news));
        Ok(())
    }

    /// Waits until there is room.
    pub(super) async fn room(&self) -> Result<(), Deserted> {
        let permit = self.to.reserve().await;
        permit.map(drop).map_err(|_| Deserted)
    }
}

impl Batch {
    fn of(bind: &Arc<str>, news: &mut Vec<News>) -> Batch {
        // The next is likely to be as long.
        let next = Vec::with_capacity(news.len());
        Batch {
            bind: Arc::clone(bind),
            news: std::mem::replace(news, next),
        }
    }
}

impl Reports {
    /// The next report; `None` once every bind is gone. Loses nothing where it is not awaited to
    /// its end.
    pub async fn recv(&mut self) -> Option<Report> {
        loop {
            if let Some(bind) = &self.bind
                && let Some(news) = self.news.pop_front()
            {
                let bind = Arc::clone(bind);
                return Some(Report { bind, news });
            }
            let Batch { bind, news } = self.from.recv().await?;
            self.bind = Some(bind);
            self.news = news.into();
        }
    }

    /// All the news of a bind at once, `None` once every bind is gone; not to be used beside
    /// [`Reports::recv`].
    pub async fn recv_batch(&mut self) -> Option<Batch> {
        self.from.recv().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::sms::order::BindState;

    fn slowed(ms: u64) -> (Instant, News) {
        let until = Instant::now() + Duration::from_millis(ms);
        (until, News::Slowed { until })
    }

    #[tokio::test]
    async fn reports_come_in_order_and_wait_for_room() {
        let (to, mut from) = reports(1);
        let bind: Arc<str> = "carrier".into();
        let (first, one) = slowed(1);
        let (second, two) = slowed(2);
        let mut news = vec![one, two];
        to.try_tell(&bind, &mut news);
        assert!(news.is_empty());
        // An empty batch takes no room and wakes nobody.
        to.try_tell(&bind, &mut news);
        let (_, three) = slowed(3);
        news.push(three);
        to.try_tell(&bind, &mut news);
        assert_eq!(news.len(), 1, "there is no room for it yet");
        let mut seen = Vec::new();
        for _ in 0..2 {
            match from.recv().await.map(|report| report.news) {
                Some(News::Slowed { until }) => seen.push(until),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, [first, second]);
        to.tell(&bind, &mut news).await.expect("a listener");
        news.push(News::State(BindState::Stopped));
        drop(from);
        to.room().await.expect_err("nobody listens");
        to.tell(&bind, &mut news).await.expect_err("nobody listens");
        assert_eq!(news.len(), 1);
    }
}
