package app;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Function;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What one library prints, and the rows to be made of it. A key that is absent is not decided. */
final class File {
  static final JsonMapper JSON = JsonMapper.builder().build();
  final String name;
  final ByteArrayOutputStream out = new ByteArrayOutputStream();
  final List<Map<String, Object>> rows = new ArrayList<>();
  final Function<String, Long> stamp;
  final String source;

  File(String name, String source, Function<String, Long> stamp) {
    this.name = name;
    this.source = source;
    this.stamp = stamp;
  }

  @SafeVarargs
  final void rec(Map<String, Object> row, Runnable call, BiConsumer<String, Map<String, Object>>... fill) {
    int from = out.size();
    call.run();
    String all = new String(out.toByteArray(), StandardCharsets.UTF_8);
    String rec = new String(out.toByteArray(), from, out.size() - from, StandardCharsets.UTF_8);
    if (rec.isEmpty()) {
      System.err.println(name + ": printed nothing for " + row.get("body"));
      return;
    }
    row.put("lines", (int) rec.chars().filter(c -> c == '\n').count() + (rec.endsWith("\n") ? 0 : 1));
    row.put("time_source", source);
    if (stamp != null) row.put("time_ns", stamp.apply(rec));
    for (var f : fill) f.accept(rec, row);
    rows.add(row);
  }

  void save(Path dir) throws Exception {
    Files.write(dir.resolve(name + ".log"), out.toByteArray());
    String text = JSON.writerWithDefaultPrettyPrinter().writeValueAsString(rows) + "\n";
    Files.writeString(dir.resolve(name + ".expected.json"), text);
  }

  /** A row of its level token, its number (0: not decided), its body (null: not decided) and its attributes. */
  static Map<String, Object> row(String level, int number, String body, Object... attributes) {
    Map<String, Object> r = new LinkedHashMap<>();
    r.put("severity_text", level);
    if (number != 0) r.put("severity_number", number);
    if (body != null) r.put("body", body);
    if (attributes.length > 0) {
      Map<String, Object> a = new LinkedHashMap<>();
      for (int i = 0; i < attributes.length; i += 2) a.put((String) attributes[i], attributes[i + 1]);
      r.put("attributes", a);
    }
    return r;
  }

  static Map<String, Object> with(Map<String, Object> row, Object... kv) {
    for (int i = 0; i < kv.length; i += 2) row.put((String) kv[i], kv[i + 1]);
    return row;
  }

  static Map<String, Object> outer(Map<String, Object> row) {
    return with(row, "exception_type", "java.lang.RuntimeException", "exception_message", "outer");
  }

  /** The stack trace of a JSON record, at a path of keys. */
  static BiConsumer<String, Map<String, Object>> stack(String... path) {
    return (rec, row) -> {
      JsonNode n = JSON.readTree(rec);
      for (String p : path) n = n.get(p);
      row.put("exception_stacktrace", n.stringValue());
    };
  }

  /** The lines below the first n as the stack trace. */
  static BiConsumer<String, Map<String, Object>> below(int n) {
    return (rec, row) -> {
      String s = rec.substring(0, rec.length() - 1);
      for (int i = 0; i < n; i++) s = s.substring(s.indexOf('\n') + 1);
      row.put("exception_stacktrace", s);
    };
  }
}
