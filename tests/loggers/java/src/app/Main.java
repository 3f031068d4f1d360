package app;

import static app.File.below;
import static app.File.outer;
import static app.File.row;
import static app.File.stack;
import static app.File.with;

import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.JsonEncoder;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.pattern.ThrowableProxyConverter;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.core.OutputStreamAppender;
import ch.qos.logback.core.encoder.Encoder;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.logging.SimpleFormatter;
import java.util.logging.StreamHandler;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import net.logstash.logback.argument.StructuredArguments;
import net.logstash.logback.encoder.LogstashEncoder;
import org.apache.log4j.WriterAppender;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.ThreadContext;
import org.apache.logging.log4j.core.Layout;
import org.apache.logging.log4j.core.layout.PatternLayout;
import org.apache.logging.log4j.layout.template.json.JsonTemplateLayout;
import org.slf4j.MDC;

/** Prints with real Java loggers and writes beside it the rows a correct reader makes of that. */
public final class Main {
  static final String MULTI = "café \"x\" C:\\new\nsecond line";
  static final String TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
  static final String SPAN = "00f067aa0ba902b7";
  static final BigInteger BIG = new BigInteger("18446744073709551616");
  static final List<File> FILES = new ArrayList<>();

  static File file(String name, String source, Function<String, Long> stamp) {
    File f = new File(name, source, stamp);
    FILES.add(f);
    return f;
  }

  static long ns(Instant t) {
    return t.getEpochSecond() * 1_000_000_000L + t.getNano();
  }

  static Function<String, Long> stamp(String re, String layout) {
    Pattern p = Pattern.compile(re, Pattern.MULTILINE);
    DateTimeFormatter f = DateTimeFormatter.ofPattern(layout, Locale.US);
    return rec -> {
      Matcher m = p.matcher(rec);
      if (!m.find()) throw new IllegalStateException("no stamp in " + rec);
      var t = f.parseBest(m.group(1), OffsetDateTime::from, LocalDateTime::from);
      return ns(t instanceof OffsetDateTime o ? o.toInstant() : ((LocalDateTime) t).toInstant(ZoneOffset.UTC));
    };
  }

  static Throwable failure() {
    return new RuntimeException("outer", new IllegalStateException("inner"));
  }

  static Throwable lines() {
    Throwable t = new RuntimeException("outer\nsecond line", new IllegalStateException("inner"));
    t.addSuppressed(new java.io.IOException("closed"));
    return t;
  }

  // ---- logback

  static LoggerContext logback(File f, Function<LoggerContext, Encoder<ILoggingEvent>> encoder) {
    LoggerContext c = new LoggerContext();
    c.setMDCAdapter((ch.qos.logback.classic.util.LogbackMDCAdapter) MDC.getMDCAdapter());
    Encoder<ILoggingEvent> e = encoder.apply(c);
    e.setContext(c);
    OutputStreamAppender<ILoggingEvent> a = new OutputStreamAppender<>();
    a.setContext(c);
    a.setEncoder(e);
    a.setOutputStream(f.out);
    e.start();
    a.start();
    var root = c.getLogger("ROOT");
    root.setLevel(ch.qos.logback.classic.Level.TRACE);
    root.addAppender(a);
    return c;
  }

  static void mdc(Runnable call, String... kv) {
    for (int i = 0; i < kv.length; i += 2) MDC.put(kv[i], kv[i + 1]);
    call.run();
    MDC.clear();
  }

  static void logstash() {
    File f = file("logstash-logback-encoder", "record", stamp("\"@timestamp\":\"([^\"]+)\"", "yyyy-MM-dd'T'HH:mm:ss[.SSSSSSSSS][.SSSSSSSS][.SSSSSSS][.SSSSSS]XXX"));
    var l = logback(f, c -> new LogstashEncoder()).getLogger("app.pay");
    f.rec(row("WARN", 13, "paid 7", "order", "o1", "n", "7"), () -> l.warn("paid {}", 7, StructuredArguments.kv("order", "o1"), StructuredArguments.kv("n", 7)));
    f.rec(row("INFO", 9, MULTI), () -> l.info(MULTI));
    f.rec(outer(row("ERROR", 17, "failed to pay")), () -> l.error("failed to pay", failure()), stack("stack_trace"));
    f.rec(with(row("ERROR", 17, "failed to pay"), "exception_type", "java.lang.RuntimeException"), () -> l.error("failed to pay", lines()), stack("stack_trace"));
    f.rec(with(row("INFO", 9, "took"), "duration_ms", 1500.25), () -> l.info("took", StructuredArguments.kv("took", Duration.ofNanos(1_500_250_000))));
    f.rec(row("DEBUG", 5, "level DEBUG"), () -> l.debug("level DEBUG"));
    f.rec(row("TRACE", 1, "level TRACE"), () -> l.trace("level TRACE"));
    f.rec(
        row("INFO", 9, "odd values", "none", null, "big", BIG.toString(), "nan", "NaN", "amount", "12.50", "yes", "true"),
        () -> l.info("odd values", StructuredArguments.kv("none", null), StructuredArguments.kv("big", BIG), StructuredArguments.kv("nan", Double.NaN),
            StructuredArguments.kv("amount", new BigDecimal("12.50")), StructuredArguments.kv("yes", true)));
    f.rec(row("INFO", 9, "nested", "g", "{\"a\":1}"), () -> l.info("nested", StructuredArguments.kv("g", Map.of("a", 1))));
    f.rec(with(row("INFO", 9, "GET /x"), "status", 503, "trace_id", TRACE, "span_id", SPAN, "duration_ms", 12.5),
        () -> mdc(() -> l.info("GET /x", StructuredArguments.kv("status", 503), StructuredArguments.kv("durationMs", 12.5)), "trace_id", TRACE, "span_id", SPAN));
    f.rec(with(row("INFO", 9, "traceId", "tenant", "t1"), "trace_id", TRACE, "span_id", SPAN), () -> mdc(() -> l.info("traceId"), "traceId", TRACE, "spanId", SPAN, "tenant", "t1"));
    f.rec(row("INFO", 9, "pairs", "order", "o1", "n", "7"), () -> l.atInfo().addKeyValue("order", "o1").addKeyValue("n", 7).log("pairs"));
    f.rec(new java.util.LinkedHashMap<>(), () -> l.warn("own names", StructuredArguments.kv("level", "mine"), StructuredArguments.kv("message", "mine")));
    f.rec(row("INFO", 9, "marked"), () -> l.info(org.slf4j.MarkerFactory.getMarker("PAY"), "marked"));
  }

  static void logbackJson() {
    File f = file("logback-json", "record", rec -> {
      Matcher m = Pattern.compile("\"timestamp\":(\\d+)").matcher(rec);
      Matcher n = Pattern.compile("\"nanoseconds\":(\\d+)").matcher(rec);
      if (!m.find() | !n.find()) throw new IllegalStateException(rec);
      // nanoseconds are those of the second; the whole seconds come from timestamp.
      return Long.parseLong(m.group(1)) / 1000 * 1_000_000_000L + Long.parseLong(n.group(1));
    });
    var l = logback(f, c -> new JsonEncoder()).getLogger("app.pay");
    f.rec(row("WARN", 13, "paid 7", "order", "o1", "n", "7"), () -> l.atWarn().addKeyValue("order", "o1").addKeyValue("n", 7).log("paid {}", 7));
    f.rec(row("INFO", 9, MULTI), () -> l.info(MULTI));
    f.rec(outer(row("ERROR", 17, "failed to pay")), () -> l.error("failed to pay", failure()));
    f.rec(outer(row("ERROR", 17, "failed to pay o1")), () -> l.error("failed to pay {}", "o1", failure()));
    f.rec(with(row("ERROR", 17, "failed to pay"), "exception_type", "java.lang.RuntimeException", "exception_message", "outer\nsecond line"), () -> l.error("failed to pay", lines()));
    f.rec(with(row("INFO", 9, "took"), "duration_ms", 1500.25), () -> l.atInfo().addKeyValue("took", Duration.ofNanos(1_500_250_000)).log("took"));
    f.rec(row("DEBUG", 5, "level DEBUG"), () -> l.debug("level DEBUG"));
    f.rec(row("TRACE", 1, "level TRACE"), () -> l.trace("level TRACE"));
    f.rec(row("INFO", 9, "odd values", "big", BIG.toString(), "nan", "NaN", "yes", "true"),
        () -> l.atInfo().addKeyValue("none", (Object) null).addKeyValue("big", BIG).addKeyValue("nan", Double.NaN).addKeyValue("yes", true).log("odd values"));
    f.rec(row("INFO", 9, "a x b y"), () -> l.info("a {} b {}", "x", "y"));
    f.rec(row("INFO", 9, "a x b {}"), () -> l.info("a {} b {}", "x"));
    f.rec(row("INFO", 9, "a x", "tenant", "t1"), () -> mdc(() -> l.info("a {}", "x"), "tenant", "t1"));
    f.rec(with(row("INFO", 9, "traceId"), "trace_id", TRACE, "span_id", SPAN), () -> mdc(() -> l.info("traceId"), "trace_id", TRACE, "span_id", SPAN));
    f.rec(row("INFO", 9, "twice"), () -> l.atInfo().addKeyValue("order", "o1").addKeyValue("order", "o2").log("twice"));
    f.rec(row("INFO", 9, "marked"), () -> l.info(org.slf4j.MarkerFactory.getMarker("PAY"), "marked"));
  }

  /** Spring Boot's %wEx: a line break before the trace and one after it. */
  public static final class WhitespaceThrowable extends ThrowableProxyConverter {
    @Override
    protected String throwableProxyToString(IThrowableProxy tp) {
      return System.lineSeparator() + super.throwableProxyToString(tp) + System.lineSeparator();
    }
  }

  static Encoder<ILoggingEvent> pattern(String p) {
    PatternLayoutEncoder e = new PatternLayoutEncoder() {
      @Override
      public void start() {
        var layout = new ch.qos.logback.classic.PatternLayout();
        layout.getInstanceConverterMap().put("wEx", WhitespaceThrowable::new);
        layout.setContext(context);
        layout.setPattern(getPattern());
        layout.start();
        this.layout = layout;
        this.started = true;
      }
    };
    e.setPattern(p);
    return e;
  }

  static void logbackText(String name, String pattern, String source, Function<String, Long> stamp, boolean wide) {
    File f = file(name, source, stamp);
    var l = logback(f, c -> pattern(pattern)).getLogger("app.pay");
    // Where blank lines stand around the trace, its text and the count of lines are not decided.
    BiConsumer<String, Map<String, Object>> one = wide ? (rec, r) -> r.remove("lines") : below(1);
    f.rec(row("WARN", 13, "paid 7"), () -> l.warn("paid {}", 7));
    f.rec(row("INFO", 9, MULTI), () -> l.info(MULTI));
    f.rec(outer(row("ERROR", 17, "failed to pay")), () -> l.error("failed to pay", failure()), one);
    f.rec(row("INFO", 9, "after"), () -> l.info("after"));
    f.rec(with(row("ERROR", 17, "failed to pay"), "exception_type", "java.lang.RuntimeException"), () -> l.error("failed to pay", lines()), one);
    f.rec(row("DEBUG", 5, "level DEBUG"), () -> l.debug("level DEBUG"));
    f.rec(row("TRACE", 1, "level TRACE"), () -> l.trace("level TRACE"));
    f.rec(row("INFO", 9, "a - b : c -- d"), () -> l.info("a - b : c -- d"));
  }

  // ---- Log4j 2

  static org.apache.logging.log4j.core.Logger log4j(File f, Function<org.apache.logging.log4j.core.config.Configuration, Layout<?>> layout) {
    var ctx = new org.apache.logging.log4j.core.LoggerContext(f.name);
    var cfg = new org.apache.logging.log4j.core.config.NullConfiguration();
    cfg.getProperties().put("hostName", "host");
    ctx.start(cfg);
    cfg.getRootLogger().getAppenders().keySet().forEach(cfg.getRootLogger()::removeAppender);
    var a = org.apache.logging.log4j.core.appender.OutputStreamAppender.newBuilder().setName(f.name).setTarget(f.out).setLayout(layout.apply(cfg)).build();
    a.start();
    cfg.getRootLogger().addAppender(a, Level.ALL, null);
    cfg.getRootLogger().setLevel(Level.ALL);
    ctx.updateLoggers();
    return ctx.getLogger("app.pay");
  }

  static void context(Runnable call, String... kv) {
    for (int i = 0; i < kv.length; i += 2) ThreadContext.put(kv[i], kv[i + 1]);
    call.run();
    ThreadContext.clearAll();
  }

  static void log4jJson(String name, String template, boolean ecs, String layout, String... stackPath) {
    File f = file(name, "record", stamp("\"@timestamp\":\"([^\"]+)\"", layout));
    var l = log4j(f, cfg -> JsonTemplateLayout.newBuilder().setConfiguration(cfg).setEventTemplateUri("classpath:" + template).build());
    f.rec(row("WARN", 13, "paid 7", "order", "o1", "n", "7"), () -> context(() -> l.warn("paid {}", 7), "order", "o1", "n", "7"));
    f.rec(row("INFO", 9, MULTI), () -> l.info(MULTI));
    f.rec(outer(row("ERROR", 17, "failed to pay")), () -> l.error("failed to pay", failure()), stack(stackPath));
    f.rec(with(row("ERROR", 17, "failed to pay"), "exception_type", "java.lang.RuntimeException", "exception_message", "outer\nsecond line"), () -> l.error("failed to pay", lines()), stack(stackPath));
    for (Object[] level : new Object[][] {{Level.TRACE, 1}, {Level.DEBUG, 5}, {Level.FATAL, 21}, {Level.forName("NOTICE", 350), 10}}) {
      f.rec(row(level[0].toString(), (int) level[1], "level " + level[0]), () -> l.log((Level) level[0], "level " + level[0]));
    }
    f.rec(with(row("INFO", 9, "traced"), "trace_id", TRACE, "span_id", SPAN), () -> context(() -> l.info("traced"), "trace.id", TRACE, "span.id", SPAN));
    f.rec(row("INFO", 9, "x".repeat(16384) + "…"), () -> l.info("x".repeat(20000)));
    f.rec(row("INFO", 9, "n=\"7\" order=\"o1\""), () -> l.info(new org.apache.logging.log4j.message.StringMapMessage().with("order", "o1").with("n", 7)));
    f.rec(row("INFO", 9, "marked"), () -> l.info(org.apache.logging.log4j.MarkerManager.getMarker("PAY"), "marked"));
  }

  static void log4jText() {
    File f = file("log4j-text", "record", stamp("^(\\S+)", "yyyy-MM-dd'T'HH:mm:ss,SSSXXX"));
    var l = log4j(f, cfg -> PatternLayout.newBuilder().setConfiguration(cfg).setPattern("%d{ISO8601_OFFSET_DATE_TIME_HHCMM} [%t] %-5p %c - %m%n").build());
    f.rec(row("WARN", 13, "paid 7"), () -> l.warn("paid {}", 7));
    f.rec(row("INFO", 9, MULTI), () -> l.info(MULTI));
    f.rec(outer(row("ERROR", 17, "failed to pay")), () -> l.error("failed to pay", failure()), below(1));
    f.rec(row("INFO", 9, "after"), () -> l.info("after"));
    f.rec(with(row("ERROR", 17, "failed to pay"), "exception_type", "java.lang.RuntimeException"), () -> l.error("failed to pay", lines()), below(1));
    f.rec(row("TRACE", 1, "level TRACE"), () -> l.trace("level TRACE"));
    f.rec(row("DEBUG", 5, "level DEBUG"), () -> l.debug("level DEBUG"));
    f.rec(row("FATAL", 21, "level FATAL"), () -> l.fatal("level FATAL"));
  }

  // ---- Log4j 1 (reload4j), java.util.logging

  static void log4j1(String name, String pattern, String re, String layout) {
    File f = file(name, "inferred", stamp(re, layout));
    var l = org.apache.log4j.Logger.getLogger("org.apache.app." + (name.equals("spark-text") ? "SparkContext" : "Pay"));
    l.setAdditivity(false);
    l.setLevel(org.apache.log4j.Level.ALL);
    l.removeAllAppenders();
    l.addAppender(new WriterAppender(new org.apache.log4j.PatternLayout(pattern), new java.io.OutputStreamWriter(f.out, java.nio.charset.StandardCharsets.UTF_8)));
    f.rec(row("WARN", 13, "paid 7"), () -> l.warn("paid 7"));
    f.rec(row("INFO", 9, MULTI), () -> l.info(MULTI));
    f.rec(outer(row("ERROR", 17, "failed to pay")), () -> l.error("failed to pay", failure()), below(1));
    f.rec(row("INFO", 9, "after"), () -> l.info("after"));
    f.rec(with(row("ERROR", 17, "failed to pay"), "exception_type", "java.lang.RuntimeException"), () -> l.error("failed to pay", lines()), below(1));
    f.rec(row("TRACE", 1, "level TRACE"), () -> l.trace("level TRACE"));
    f.rec(row("DEBUG", 5, "level DEBUG"), () -> l.debug("level DEBUG"));
    f.rec(row("FATAL", 21, "level FATAL"), () -> l.fatal("level FATAL"));
  }

  static void jul() {
    File f = file("jul", "inferred", stamp("^(\\w+ \\d+, \\d+ \\d+:\\d+:\\d+ [AP]M)", "MMM dd, yyyy h:mm:ss a"));
    var l = java.util.logging.Logger.getLogger("app.pay");
    var h = new StreamHandler(f.out, new SimpleFormatter());
    h.setLevel(java.util.logging.Level.ALL);
    l.setUseParentHandlers(false);
    l.setLevel(java.util.logging.Level.ALL);
    l.addHandler(h);
    // A blank line follows the trace: neither its text nor the count of lines is decided.
    BiConsumer<String, Map<String, Object>> trace = (rec, r) -> r.remove("lines");
    rec(f, h, row("WARNING", 13, "paid 7"), () -> l.warning("paid 7"));
    rec(f, h, row("INFO", 9, MULTI), () -> l.info(MULTI));
    rec(f, h, outer(row("SEVERE", 0, "failed to pay")), () -> l.log(java.util.logging.Level.SEVERE, "failed to pay", failure()), trace);
    rec(f, h, row("INFO", 9, "after"), () -> l.info("after"));
    rec(f, h, with(row("WARNING", 13, "failed to pay"), "exception_type", "java.lang.RuntimeException"), () -> l.log(java.util.logging.Level.WARNING, "failed to pay", lines()), trace);
    for (String s : new String[] {"CONFIG", "FINE", "FINER", "FINEST"}) {
      rec(f, h, row(s, 0, "level " + s), () -> l.log(java.util.logging.Level.parse(s), "level " + s));
    }
  }

  @SafeVarargs
  static void rec(File f, StreamHandler h, Map<String, Object> row, Runnable call, BiConsumer<String, Map<String, Object>>... fill) {
    f.rec(row, () -> {
      call.run();
      h.flush();
    }, fill);
  }

  public static void main(String[] args) throws Exception {
    Path out = Path.of(args[0]);
    Files.createDirectories(out);
    logstash();
    logbackJson();
    logbackText("logback-text", "%d{HH:mm:ss.SSS} [%thread] %-5level %logger{36} -- %msg%n", "inferred", null, false);
    logbackText("spring-boot-text", "%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %5p 4823 --- [app] [%15.15t] %-40.40logger{39} : %m%n%wEx", "record",
        stamp("^(\\S+)", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"), true);
    logbackText("zookeeper-text", "%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%logger{36}@%L] - %m%n", "inferred",
        stamp("^(\\S+ \\S+)", "yyyy-MM-dd HH:mm:ss,SSS"), false);
    log4jJson("log4j-ecs", "EcsLayout.json", true, "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "error.stack_trace");
    log4jJson("log4j-logstash", "LogstashJsonEventLayoutV1.json", false, "yyyy-MM-dd'T'HH:mm:ss.SSSXX", "exception", "stacktrace");
    log4jText();
    log4j1("hadoop-text", "%d{ISO8601} %-5p %c (%F:%M(%L)) - %m%n", "^(\\S+ \\S+)", "yyyy-MM-dd HH:mm:ss,SSS");
    log4j1("spark-text", "%d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n", "^(\\S+ \\S+)", "yy/MM/dd HH:mm:ss");
    jul();
    for (File f : FILES) f.save(out);
  }
}
