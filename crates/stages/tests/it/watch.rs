//! The watch over the metrics.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use millrace_lake::metrics::{HourFile, Place, Weighed, Window};
use millrace_stages::{Bus, BusError, BusEvent, Watch, WatchSettings};
use serde_json::Value;

use crate::lake::Lake;

const SETTINGS: WatchSettings = WatchSettings { delay: Duration::from_secs(120), quiet: Duration::from_secs(300) };

fn at(minute: i64) -> Timestamp {
    "2026-01-31T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
}

impl Lake {
    fn watch(&self) -> Watch {
        Watch::new(self.objects.clone(), self.said.clone(), SETTINGS)
    }

    /// Metrics of 100 rows a minute from 10 to 13 o'clock, with errors in the minutes after 12 that `is_out` says.
    async fn put_metrics(&self, is_out: impl Fn(i64) -> bool) {
        for hour in 10..13 {
            let mut file = HourFile::default();
            for minute in 0..60 {
                let since_noon = (hour - 12) * 60 + minute;
                let errors = if is_out(since_noon) { 60 } else { 1 };
                let place = Place { object: "raw/a.gz".to_owned(), first_line: 5, last_line: 70 };
                let error_rows = Some(Weighed { weight: errors, place });
                let window = Window { count: 100, errors, error_rows, ..Window::default() };
                file.windows.0.insert((at(since_noon).as_second(), "pay".to_owned()), window);
            }
            let path = format!("metrics/dt=2026-01-31/hour={hour}/metrics.parquet");
            self.objects.put(&path, file.to_bytes().unwrap()).await.unwrap();
        }
    }

    fn told(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.said.0.lock().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_told_once_and_its_end() {
    let lake = Lake::new();
    lake.put_metrics(|minute| (10..13).contains(&minute)).await;
    // Each look is another process's: what was told is kept in the lake.
    for minute in 5..12 {
        assert_eq!(lake.watch().look(at(minute)).await.unwrap(), []);
    }
    for minute in 12..20 {
        lake.watch().look(at(minute)).await.unwrap();
    }
    let told = lake.told();
    // The window from 12:10 is over at 12:11, and is judged two minutes later.
    let [(kind, raised)] = &told[..] else { panic!("{told:#?}") };
    assert_eq!(kind, "millrace.alert.raised");
    assert_eq!((&raised["service"], &raised["signal"]), (&"pay".into(), &"error_rate".into()));
    assert_eq!(
        (&raised["window_start"], &raised["value"], &raised["baseline"]),
        (&"2026-01-31T12:10:00Z".into(), &0.6.into(), &0.01.into())
    );
    assert_eq!(raised["rows"], serde_json::json!({"object": "raw/a.gz", "first_line": 5, "last_line": 70}));
    for minute in 20..30 {
        lake.watch().look(at(minute)).await.unwrap();
    }
    let told = lake.told();
    let [(kind, resolved)] = &told[..] else { panic!("{told:#?}") };
    assert_eq!(kind, "millrace.alert.resolved");
    assert_eq!(
        (&resolved["alert_id"], &resolved["resolved_at"]),
        (&raised["alert_id"], &"2026-01-31T12:13:00Z".into())
    );
}

/// Takes nothing.
struct Away;

impl Bus for Away {
    fn publish<'b>(&'b self, _: &'b BusEvent) -> BoxFuture<'b, Result<(), BusError>> {
        std::future::ready(Err(BusError("away".to_owned()))).boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bus_did_not_take_is_told_by_the_next_look() {
    let lake = Lake::new();
    lake.put_metrics(|minute| minute == 10).await;
    let away = Watch::new(lake.objects.clone(), Arc::new(Away), SETTINGS);
    assert_eq!(away.look(at(14)).await.unwrap_err().state(), "BusUnavailable");
    assert_eq!(lake.watch().look(at(14)).await.unwrap().len(), 1);
    // What it has told cannot be read any more: it is told again, under the same id.
    let first = lake.told();
    lake.objects.put("stages/alerts.json", "no JSON".into()).await.unwrap();
    lake.watch().look(at(15)).await.unwrap();
    assert_eq!(lake.told()[0].1["alert_id"], first[0].1["alert_id"]);
}

/// Takes a few events, and refuses the others.
struct Few(Mutex<(usize, Vec<String>)>);

impl Bus for Few {
    fn publish<'b>(&'b self, event: &'b BusEvent) -> BoxFuture<'b, Result<(), BusError>> {
        let BusEvent::Alert(alert) = event else { unreachable!("alerts alone") };
        let (left, taken) = &mut *self.0.lock().unwrap();
        let answer = if *left == 0 {
            Err(BusError("enough".to_owned()))
        } else {
            *left -= 1;
            taken.push(alert.id());
            Ok(())
        };
        std::future::ready(answer).boxed()
    }
}

/// What was seen first keeps its name, and what the bus has taken is not told again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_in_two_looks_has_one_name_and_is_told_once() {
    let lake = Lake::new();
    // It is over when it is first looked at: two events.
    lake.put_metrics(|minute| minute == 10).await;
    let bus = Arc::new(Few(Mutex::new((1, Vec::new()))));
    let watch = Watch::new(lake.objects.clone(), bus.clone(), SETTINGS);
    assert_eq!(watch.look(at(30)).await.unwrap_err().state(), "BusUnavailable");
    bus.0.lock().unwrap().0 = 5;
    assert_eq!(watch.look(at(31)).await.unwrap().len(), 1);
    assert_eq!(watch.look(at(32)).await.unwrap(), []);
    let taken = bus.0.lock().unwrap().1.clone();
    let [raised, resolved] = &taken[..] else { panic!("{taken:?}") };
    let name = raised.strip_suffix("-raised").unwrap();
    assert!(resolved.starts_with(&format!("{name}-resolved-")), "{resolved}");
}

/// Of looks at the same time one tells.
#[tokio::test(flavor = "multi_thread")]
async fn looks_at_the_same_time_tell_once() {
    let lake = Lake::new();
    lake.put_metrics(|minute| minute == 10).await;
    let watch = lake.watch();
    let looks = (0..6).map(|_| watch.look(at(13)));
    let told: Vec<_> = futures_util::future::try_join_all(looks).await.unwrap().concat();
    assert!(told.iter().all(|event| event.id() == told[0].id()), "{told:?}");
    assert_eq!(watch.look(at(14)).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_without_metrics_is_quiet() {
    let lake = Lake::new();
    assert_eq!(lake.watch().look(at(0)).await.unwrap(), []);
    assert!(lake.files().is_empty());
    // Damaged ones are none.
    lake.write("metrics/dt=2026-01-31/hour=11/metrics.parquet", b"damaged");
    assert_eq!(lake.watch().look(at(0)).await.unwrap(), []);
}
