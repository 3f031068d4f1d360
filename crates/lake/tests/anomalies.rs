//! What is found unusual, and what is told of it.

use std::collections::BTreeSet;

use millrace_lake::anomaly::{AlertEvent, Alerts, Anomaly, BASELINE_SECONDS, Judged, Signal, judge};
use millrace_lake::metrics::{Place, Points, Weighed, Window, Windows};
use proptest::prelude::*;

/// The first second of a minute: noon of 31 January 2026.
const NOON: i64 = 1_769_860_800;

/// Seconds in a day.
const DAY: i64 = 86_400;

/// How long nothing may be unusual until an outage is over.
const QUIET: i64 = 300;

/// A window of so many rows, so many of them errors, all of which took so many milliseconds.
fn window(count: u64, errors: u64, milliseconds: f64) -> Window {
    let place = |weight| {
        let place = Place { object: "raw/a.gz".to_owned(), first_line: 3, last_line: 3 + weight };
        (weight > 0).then_some(Weighed { weight, place })
    };
    let mut window =
        Window { count, errors, rows: place(count), error_rows: place(errors), slowest: place(1), ..Window::default() };
    for number in 0..count {
        // Most are shorter, as latencies are.
        #[expect(clippy::cast_precision_loss)]
        window.latencies.add(milliseconds * (number % 20 + 1) as f64 / 20.0);
    }
    window
}

struct History(Windows);

impl History {
    /// A service with 100 rows a minute, 2 of them errors, which take up to 50 ms; for so many minutes before noon.
    fn usual(minutes: i64) -> Self {
        let mut history = Self(Windows::default());
        for minute in -minutes..0 {
            history.put("pay", minute, window(100, 2, 50.0));
        }
        history
    }

    fn put(&mut self, service: &str, minute: i64, window: Window) {
        self.0.0.insert((NOON + minute * 60, service.to_owned()), window);
    }

    /// Judges the hour from noon on, as far as minute `until`; what is missing counts until `absent_until`.
    fn judge_until(&self, until: i64, absent_until: i64) -> Vec<Anomaly> {
        let from = NOON;
        let judged = Judged {
            since: from - BASELINE_SECONDS,
            from,
            until: from + until * 60,
            absent_until: from + absent_until * 60,
        };
        judge(&Points::from(&self.0), &judged)
    }

    /// The same, where all rows have come.
    fn judge(&self, until: i64) -> Vec<Anomaly> {
        self.judge_until(until, until)
    }

    fn signals(&self, until: i64) -> Vec<(String, Signal, i64)> {
        let minute = |anomaly: &Anomaly| (anomaly.window_start.as_second() - NOON) / 60;
        self.judge(until).iter().map(|found| (found.service.clone(), found.signal, minute(found))).collect()
    }
}

fn pay(signal: Signal, minute: i64) -> (String, Signal, i64) {
    ("pay".to_owned(), signal, minute)
}

#[test]
fn each_signal_is_found_in_its_window_with_what_is_usual_and_its_rows() {
    let mut history = History::usual(60);
    history.put("pay", 0, window(100, 3, 50.0));
    history.put("pay", 1, window(100, 40, 50.0));
    history.put("pay", 2, window(100, 2, 500.0));
    history.put("pay", 3, window(500, 10, 50.0));
    history.put("pay", 4, window(10, 0, 50.0));
    // No rows at all in minute 5.
    history.put("pay", 6, window(100, 2, 50.0));
    let found = history.judge(7);
    let expected = [
        pay(Signal::ErrorRate, 1),
        pay(Signal::Latency, 2),
        pay(Signal::Volume, 3),
        pay(Signal::Volume, 4),
        pay(Signal::Silence, 5),
    ];
    assert_eq!(history.signals(7), expected);

    let errors = &found[0];
    assert_eq!((errors.value, errors.baseline), (0.4, 0.02));
    assert!(errors.score > 20.0, "{}", errors.score);
    assert_eq!(errors.shown_by, NOON + 60);
    let latency = &found[1];
    assert!((latency.value / 475.0 - 1.0).abs() < 0.02 && (latency.baseline / 47.5 - 1.0).abs() < 0.02, "{latency:?}");
    assert_eq!((found[2].value, found[3].value, found[3].baseline), (500.0, 10.0, 100.0));
    assert!(found[3].score < 0.0, "fewer than usual");
    let silence = &found[4];
    assert_eq!((silence.value, silence.baseline), (0.0, 100.0));
    assert_eq!(silence.shown_by, NOON + 240, "the last rows before");
    // Each signal names the rows that show it.
    let shown = Signal::ErrorRate.place(&history.0.0[&(NOON + 60, "pay".to_owned())]);
    assert_eq!(shown, Some(&Place { object: "raw/a.gz".to_owned(), first_line: 3, last_line: 43 }));
}

#[test]
fn a_service_that_nobody_knows_yet_is_judged_by_its_errors_alone() {
    let mut history = History(Windows::default());
    history.put("pay", 0, window(100, 2, 50.0));
    history.put("pay", 1, window(900, 360, 5_000.0));
    assert_eq!(history.signals(2), [pay(Signal::ErrorRate, 1)]);
    // It is told, and after ten minutes it is what this service is like.
    for minute in 1..30 {
        history.put("pay", minute, window(900, 360, 5_000.0));
    }
    assert_eq!(history.signals(30), (1..11).map(|minute| pay(Signal::ErrorRate, minute)).collect::<Vec<_>>());
    // Few errors are none of many.
    let mut history = History(Windows::default());
    history.put("pay", 0, window(9, 9, 50.0));
    assert_eq!(history.signals(1), []);
}

#[test]
fn an_outage_does_not_become_usual_while_it_lasts() {
    let mut history = History::usual(60);
    for minute in 0..60 {
        history.put("pay", minute, window(100, 40, 50.0));
    }
    assert_eq!(history.signals(60).len(), 60);
}

#[test]
fn a_silence_is_known_once_rows_of_after_it_have_come() {
    let mut history = History::usual(60);
    history.put("pay", 3, window(100, 2, 50.0));
    assert_eq!(history.signals(4), [pay(Signal::Silence, 0), pay(Signal::Silence, 1), pay(Signal::Silence, 2)]);
    // Rows until the end of minute 1 have come: nobody knows of the other ones.
    assert_eq!(history.judge_until(4, 2).len(), 2);
}

/// A window that is being filled has fewer rows than usual, as one has that is late; but its errors are errors.
#[test]
fn what_is_missing_is_judged_once_it_should_have_come() {
    let mut history = History::usual(60);
    history.put("pay", 0, window(20, 0, 50.0));
    history.put("pay", 1, window(20, 15, 50.0));
    assert_eq!(history.judge_until(2, 0).len(), 1);
    assert_eq!(history.signals(2), [pay(Signal::Volume, 0), pay(Signal::ErrorRate, 1), pay(Signal::Volume, 1)]);
}

#[test]
fn a_small_service_that_writes_a_flood_is_unusual() {
    let mut history = History(Windows::default());
    for minute in -60..0 {
        history.put("pay", minute, window(3, 0, 50.0));
    }
    history.put("pay", 0, window(90, 0, 50.0));
    history.put("pay", 1, window(900, 0, 50.0));
    assert_eq!(history.signals(2), [pay(Signal::Volume, 1)]);
}

#[test]
fn a_service_with_few_rows_is_silent_when_many_are_missing() {
    let mut history = History(Windows::default());
    for minute in -60..0 {
        history.put("pay", minute, window(2, 0, 50.0));
    }
    history.put("pay", 30, window(2, 0, 50.0));
    let minutes: Vec<i64> = history.signals(31).iter().map(|(_, _, minute)| *minute).collect();
    assert_eq!(minutes, (9..30).collect::<Vec<i64>>());
    // One with rows every third minute is never silent.
    let mut history = History(Windows::default());
    for minute in (-60..0).step_by(3) {
        history.put("pay", minute, window(50, 0, 50.0));
    }
    history.put("pay", 30, window(2, 0, 50.0));
    assert_eq!(history.signals(31), []);
}

/// Two hours before noon and one after it, on these days before.
fn put_days(history: &mut History, days: std::ops::RangeInclusive<i64>, minutes: &dyn Fn(i64) -> Option<Window>) {
    for day in days {
        for minute in -120..60 {
            if let Some(window) = minutes(minute) {
                history.put("pay", minute - day * DAY / 60, window);
            }
        }
    }
}

#[test]
fn what_happens_at_this_time_every_day_is_usual() {
    let mut history = History::usual(120);
    // A batch of a few minutes, which writes much and takes long; a little later on some days.
    let batch =
        |minute: i64| Some(if (0..6).contains(&minute) { window(900, 18, 900.0) } else { window(100, 2, 50.0) });
    for minute in 0..6 {
        history.put("pay", minute, window(900, 18, 900.0));
    }
    put_days(&mut history, 1..=2, &batch);
    assert_eq!(history.signals(6).len(), 12, "two days are no season: latency and volume");
    put_days(&mut history, 3..=3, &|minute| batch(minute - 2));
    assert_eq!(history.signals(6), []);
    // Errors are not usual then.
    history.put("pay", 2, window(900, 300, 900.0));
    assert_eq!(history.signals(6), [pay(Signal::ErrorRate, 2)]);
}

/// A job that fails once each day says nothing of an outage at its time.
#[test]
fn a_few_errors_each_day_are_no_season_of_many() {
    let mut history = History::usual(60);
    for day in 1..=6 {
        for minute in -2..=4 {
            history.put("pay", minute - day * 1_440, window(1, 1, 50.0));
        }
    }
    history.put("pay", 0, window(100, 2, 50.0));
    history.put("pay", 1, window(100, 90, 50.0));
    assert_eq!(history.signals(2), [pay(Signal::ErrorRate, 1)]);
}

/// An outage of yesterday does not make the same one of today usual; a day of rest each week is.
#[test]
fn one_odd_day_is_no_season_but_that_of_last_week() {
    let usual = |_| Some(window(100, 2, 50.0));
    let out = |minute| (!(0..30).contains(&minute)).then(|| window(100, 2, 50.0));
    for (odd, expected) in [(1, 20), (7, 0)] {
        let mut history = History::usual(120);
        put_days(&mut history, 1..=7, &usual);
        let minutes: Vec<i64> = (0..30).map(|minute| minute - odd * DAY / 60).collect();
        history.0.0.retain(|(start, _), _| !minutes.contains(&((start - NOON) / 60)));
        put_days(&mut history, odd..=odd, &out);
        history.put("pay", 20, window(100, 2, 50.0));
        assert_eq!(history.signals(20).len(), expected, "the odd day was {odd} days ago");
    }
}

/// A look at minute `until`, of which rows that are missing count 15 minutes later.
fn events(alerts: &mut Alerts, history: &History, until: i64) -> Vec<AlertEvent> {
    let until = NOON + until * 60;
    let from = until - 3_600;
    let judged = Judged { since: alerts.since(from), from, until, absent_until: until - 900 };
    let points = Points::from(&history.0);
    alerts.update(&judge(&points, &judged), &points, &judged, QUIET)
}

fn headlines(events: &[AlertEvent]) -> Vec<String> {
    events.iter().map(|event| format!("{} {}", event.word(), event.headline())).collect()
}

/// What is told by a look each minute.
fn told(history: &History, minutes: std::ops::Range<i64>) -> Vec<(i64, String)> {
    let mut alerts = Alerts::default();
    let mut told = Vec::new();
    for minute in minutes {
        told.extend(headlines(&events(&mut alerts, history, minute)).into_iter().map(|headline| (minute, headline)));
    }
    told
}

#[test]
fn an_outage_is_one_alert_and_its_end_is_told() {
    let mut history = History::usual(60);
    for minute in -60..0 {
        history.put("shop", minute, window(200, 1, 80.0));
    }
    let mut alerts = Alerts::default();
    let mut told = Vec::new();
    for minute in 0..40 {
        let is_out = (10..15).contains(&minute) || minute == 17;
        let pay = if is_out { window(300, 150, 4_000.0) } else { window(100, 2, 50.0) };
        history.put("pay", minute, pay);
        // The shop depends on it, and shows it a minute later.
        let shop = if (11..15).contains(&minute) { window(200, 90, 80.0) } else { window(200, 1, 80.0) };
        history.put("shop", minute, shop);
        let events = events(&mut alerts, &history, minute + 1);
        told.extend(events.into_iter().map(|event| (minute, event)));
        // What is told is kept between two updates as JSON.
        alerts = serde_json::from_value(serde_json::to_value(&alerts).unwrap()).unwrap();
    }
    let [(10, AlertEvent::Raised(raised)), (11, AlertEvent::Updated(updated)), (22, AlertEvent::Resolved(resolved))] =
        &told[..]
    else {
        panic!("{told:#?}")
    };
    assert_eq!(updated.alert_id, raised.alert_id);
    assert_eq!(told[1].1.headline(), "pay: also shop: 45 % errors, expected 0.5 %");
    assert_eq!((raised.anomaly.service.as_str(), raised.anomaly.signal), ("pay", Signal::ErrorRate));
    let also: Vec<Signal> = raised.also.iter().map(|anomaly| anomaly.signal).collect();
    assert_eq!(also, [Signal::Latency, Signal::Volume]);
    assert_eq!(raised.alert_id, resolved.alert_id);
    assert_eq!(resolved.resolved_at.as_second(), NOON + 18 * 60);
    assert_eq!((&resolved.services[..], resolved.service_count), (&["pay".to_owned(), "shop".to_owned()][..], 2));
    assert_eq!(resolved.signals, BTreeSet::from([Signal::ErrorRate, Signal::Latency, Signal::Volume]));

    assert_eq!(told[0].1.headline(), "pay: 50 % errors, expected 2.0 %");
    let body = told[0].1.body();
    assert!(
        body.starts_with(
            "pay: 50 % errors in the minute from 2026-01-31T12:10:00Z, expected 2.0 %.\npay: p95 of 3.8 s "
        ),
        "{body}"
    );
    assert!(body.ends_with(&format!("Alert: {}\n", raised.alert_id)), "{body}");
    assert_eq!(told[2].1.headline(), "pay: over: many errors");
    let body = told[2].1.body();
    let over = "Last unusual minute until 2026-01-31T12:18:00Z, after 8 min: many errors, long latencies, an unusual number of log records of pay, shop.\n";
    assert!(body.starts_with(over), "{body}");
    // As others' programs read it.
    let json = serde_json::to_value(&told[0].1).unwrap();
    assert_eq!(json["rows"], serde_json::Value::Null, "whoever tells it fills them in");
    assert_eq!((&json["signal"], &json["window_start"]), (&"error_rate".into(), &"2026-01-31T12:10:00Z".into()));
    for (_, event) in &told {
        let read: AlertEvent = serde_json::from_value(serde_json::to_value(event).unwrap()).unwrap();
        assert_eq!((read.event_type(), read.id(), read.body()), (event.event_type(), event.id(), event.body()));
    }
}

#[test]
fn two_outages_of_two_services_are_two_alerts() {
    let mut history = History::usual(60);
    for minute in -60..0 {
        history.put("mail", minute, window(200, 1, 80.0));
    }
    for minute in 0..30 {
        history.put("pay", minute, window(100, if minute >= 10 { 50 } else { 2 }, 50.0));
        history.put("mail", minute, window(200, if minute >= 20 { 90 } else { 1 }, 80.0));
    }
    let events = events(&mut Alerts::default(), &history, 30);
    let raised: Vec<String> = events.iter().map(AlertEvent::headline).collect();
    assert_eq!(raised, ["pay: 50 % errors, expected 2.0 %", "mail: 45 % errors, expected 0.5 %"]);
}

/// Rows that come late are told of, once.
#[test]
fn a_burst_that_comes_late_is_told_with_its_end() {
    let mut history = History::usual(60);
    for minute in 0..60 {
        history.put("pay", minute, window(100, 2, 50.0));
    }
    let mut alerts = Alerts::default();
    assert_eq!(events(&mut alerts, &history, 40), []);
    history.put("pay", 5, window(160, 62, 50.0));
    let told = events(&mut alerts, &history, 41);
    assert!(matches!(&told[..], [AlertEvent::Raised(_), AlertEvent::Resolved(_)]), "{told:#?}");
    history.put("pay", 6, window(160, 62, 50.0));
    assert_eq!(events(&mut alerts, &history, 42), [], "the same outage");
}

/// An update that is made twice, as where what it told could not be kept, tells the same under the same id.
#[test]
fn an_update_that_is_repeated_tells_the_same() {
    let mut history = History::usual(60);
    for minute in 0..20 {
        history.put("pay", minute, window(100, if minute < 5 { 2 } else { 30 }, 50.0));
    }
    let first = events(&mut Alerts::default(), &history, 8);
    assert_eq!(first.len(), 1);
    let again = events(&mut Alerts::default(), &history, 9);
    assert_eq!(first[0].alert_id(), again[0].alert_id());
}

/// A service whose errors are these of 100 rows in each minute.
fn with_errors(minutes: std::ops::Range<i64>, errors: impl Fn(i64) -> u64) -> History {
    let mut history = History(Windows::default());
    for minute in minutes {
        history.put("pay", minute, window(100, errors(minute), 50.0));
    }
    history
}

#[test]
fn an_outage_of_hours_is_one_alert_until_it_is_over() {
    let history = with_errors(-120..430, |minute| if (0..360).contains(&minute) { 60 } else { 2 });
    let expected =
        [(1, "ALERT pay: 60 % errors, expected 2.0 %".to_owned()), (365, "RESOLVED pay: over: many errors".to_owned())];
    assert_eq!(told(&history, 1..430), expected);
}

#[test]
fn what_lasts_for_a_day_is_usual_then() {
    let history = with_errors(-120..2_000, |minute| if minute >= 0 { 60 } else { 2 });
    let mut alerts = Alerts::default();
    let told: Vec<String> =
        (20..2_000).step_by(20).flat_map(|minute| headlines(&events(&mut alerts, &history, minute))).collect();
    let expected =
        ["ALERT pay: 60 % errors, expected 2.0 %", "RESOLVED pay: usual from now on, after a day: many errors"];
    assert_eq!(told, expected);
}

#[test]
fn a_service_that_is_dead_is_told_once() {
    let history = with_errors(-120..0, |_| 2);
    assert_eq!(told(&history, 1..300), [(16, "ALERT pay: no log records, expected 100 a minute".to_owned())]);
}

/// It fails first, and then writes nothing: that is worse.
#[test]
fn a_service_that_dies_in_an_outage_is_told_of() {
    let history = with_errors(-120..10, |minute| if minute >= 0 { 60 } else { 2 });
    let expected = [
        (1, "ALERT pay: 60 % errors, expected 2.0 %".to_owned()),
        (26, "UPDATE pay: now no log records, expected 100 a minute".to_owned()),
    ];
    assert_eq!(told(&history, 1..60), expected);
}

/// Rows do not come for a while, of nobody: nobody knows that anything is over.
#[test]
fn an_outage_is_not_over_because_rows_do_not_come() {
    let history = with_errors(-120..60, |minute| if (10..40).contains(&minute) { 60 } else { 2 });
    let mut alerts = Alerts::default();
    let mut told = Vec::new();
    for minute in 1..60 {
        let mut come = History(history.0.clone());
        if (20..33).contains(&minute) {
            come.0.0.retain(|(start, _), _| *start < NOON + 20 * 60);
        }
        let events = events(&mut alerts, &come, minute);
        told.extend(headlines(&events).into_iter().map(|headline| (minute, headline)));
    }
    let expected =
        [(11, "ALERT pay: 60 % errors, expected 2.0 %".to_owned()), (45, "RESOLVED pay: over: many errors".to_owned())];
    assert_eq!(told, expected);
}

#[test]
fn what_comes_back_again_and_again_is_told_less_and_less() {
    let history = with_errors(-120..240, |minute| if minute >= 0 && minute % 12 < 2 { 60 } else { 2 });
    let told = told(&history, 1..180);
    let expected = [
        (1, "ALERT pay: 60 % errors, expected 2.0 %"),
        (7, "RESOLVED pay: over: many errors"),
        (13, "UPDATE pay: now 60 % errors, expected 2.0 %"),
        (24, "RESOLVED pay: over: many errors"),
        (25, "UPDATE pay: now 60 % errors, expected 2.0 %"),
    ];
    assert_eq!(told, expected.map(|(minute, headline)| (minute, headline.to_owned())));
}

/// However many services an outage shows in, what is told of it has a bound; and a name of a service is text.
#[test]
fn what_is_told_is_short_and_plain() {
    let mut history = History(Windows::default());
    for service in 0..300 {
        for minute in -60..2 {
            let service = format!("service\n{service}\u{1b}]0;x\u{7}");
            history.put(&service, minute, window(100, if minute >= 0 { 60 } else { 2 }, 50.0));
        }
    }
    let [event] = &events(&mut Alerts::default(), &history, 2)[..] else { panic!("one alert") };
    assert!(serde_json::to_vec(event).unwrap().len() < 16_000);
    assert!(event.body().len() < 8_000 && event.body().lines().count() <= 23, "{}", event.body());
    assert!(!event.headline().contains(char::is_control), "{:?}", event.headline());
    assert!(!event.body().contains('\u{1b}'));
}

/// A number of independent events of which so many are expected: by as many draws as make the normal distribution a good one.
fn drawn(expected: f64, draws: &mut impl Iterator<Item = f64>) -> u64 {
    let normal: f64 = draws.take(12).sum::<f64>() - 6.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let number = (expected + normal * expected.sqrt()).round().max(0.0) as u64;
    number
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Nobody is woken by chance: an hour of independent rows, errors and latencies has nothing unusual, at any rate of them.
    #[test]
    fn chance_is_not_unusual(rows in 1.0..300.0_f64, share in 0.0..0.3_f64, seed in any::<u64>()) {
        let mut state = seed;
        let mut draws = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            #[expect(clippy::cast_precision_loss)]
            let draw = (state >> 11) as f64 / (1_u64 << 53) as f64;
            draw
        });
        let mut history = History(Windows::default());
        for minute in -90..60 {
            let count = drawn(rows, &mut draws);
            #[expect(clippy::cast_precision_loss)]
            let errors = drawn(count as f64 * share, &mut draws).min(count);
            let mut window = Window { count, errors, ..Window::default() };
            for _ in 0..count.min(60) {
                // Latencies between 1 ms and 10 s, most of them short.
                let exponent = draws.by_ref().take(3).sum::<f64>() * 4.0 / 3.0;
                window.latencies.add(10_f64.powf(exponent));
            }
            if count > 0 {
                history.put("pay", minute, window);
            }
        }
        let found = history.judge(60);
        prop_assert!(found.is_empty(), "{:#?}", found);
    }

    /// However many rows there are, a burst is found, and told once.
    #[test]
    fn a_burst_is_found_at_any_rate(rows in 40_u64..2_000, share in 0.4..1.0_f64, from in 1_i64..50, length in 1_i64..8) {
        let mut history = History(Windows::default());
        for minute in -60..70 {
            let is_burst = (from..from + length).contains(&minute);
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let errors = if is_burst { (rows as f64 * share) as u64 } else { rows / 50 };
            history.put("pay", minute, window(rows, errors, 50.0));
        }
        let found = history.judge(60);
        let minutes: Vec<i64> = found.iter().map(|found| (found.window_start.as_second() - NOON) / 60).collect();
        prop_assert_eq!(minutes, (from..(from + length).min(60)).collect::<Vec<i64>>());
        let mut alerts = Alerts::default();
        let told: Vec<AlertEvent> = (1..=70).flat_map(|until| events(&mut alerts, &history, until)).collect();
        prop_assert!(matches!(&told[..], [AlertEvent::Raised(_), AlertEvent::Resolved(_)]), "{:#?}", told);
    }
}
