package app;

import static app.File.outer;
import static app.File.row;
import static app.File.with;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.Map;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;
import org.springframework.boot.Banner;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;

/** Prints with the console logging of a real Spring Boot application. */
public final class Spring {
  static final String MULTI = "café \"x\" C:\\new\nsecond line";

  static Throwable failure() {
    return new RuntimeException("outer", new IllegalStateException("inner"));
  }

  static void rows(File f, Logger l, boolean json) {
    // Blank lines stand around the trace: neither its text nor the count of lines is decided.
    BiConsumer<String, Map<String, Object>> trace = json ? (rec, r) -> {} : (rec, r) -> r.remove("lines");
    f.rec(row("WARN", 13, "paid 7"), () -> l.warn("paid {}", 7));
    f.rec(row("INFO", 9, MULTI), () -> l.info(MULTI));
    f.rec(outer(row("ERROR", 17, "failed to pay")), () -> l.error("failed to pay", failure()), trace);
    f.rec(row("INFO", 9, "after"), () -> l.info("after"));
    f.rec(row("DEBUG", 5, "level DEBUG"), () -> l.debug("level DEBUG"));
    f.rec(row("TRACE", 1, "level TRACE"), () -> l.trace("level TRACE"));
    f.rec(row("INFO", 9, "a - b : c -- d"), () -> l.info("a - b : c -- d"));
    if (json) {
      f.rec(with(row("INFO", 9, "traced"), "trace_id", "4bf92f3577b34da6a3ce929d0e0e4736", "span_id", "00f067aa0ba902b7"), () -> {
        MDC.put("traceId", "4bf92f3577b34da6a3ce929d0e0e4736");
        MDC.put("spanId", "00f067aa0ba902b7");
        l.info("traced");
        MDC.clear();
      });
      f.rec(row("WARN", 13, "pairs", "order", "o1", "n", "7"), () -> l.atWarn().addKeyValue("order", "o1").addKeyValue("n", 7).log("pairs"));
    }
  }

  static void run(Path out, String name, String format) throws Exception {
    boolean json = !format.isEmpty();
    String key = "\"@timestamp\":\"";
    File f = new File(name, "record", rec -> {
      String s = json ? rec.substring(rec.indexOf(key) + key.length()).split("\"")[0] : rec.split(" ")[0];
      var t = OffsetDateTime.parse(s).toInstant();
      return t.getEpochSecond() * 1_000_000_000L + t.getNano();
    });
    PrintStream old = System.out;
    System.setOut(new PrintStream(f.out, true, StandardCharsets.UTF_8));
    var context = new SpringApplicationBuilder(Spring.class).bannerMode(Banner.Mode.OFF).logStartupInfo(false).web(WebApplicationType.NONE)
        .properties("spring.application.name=app", "logging.level.root=warn", "logging.level.app=trace", "logging.structured.format.console=" + format).run();
    rows(f, LoggerFactory.getLogger("app.pay"), json);
    context.close();
    System.setOut(old);
    f.save(out);
  }

  public static void main(String[] args) throws Exception {
    run(Path.of(args[0]), args[1], args[2]);
  }
}
