#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
use millrace_lake::*;
struct Null;
impl Sink for Null {
    fn rows(&mut self, _: &Batch, _: &Source) -> std::io::Result<()> {
        Ok(())
    }
    fn quarantine(&mut self, _: Quarantined<'_>, _: &Source) -> std::io::Result<()> {
        Ok(())
    }
}
fn main() {
    let file = std::env::args().nth(1).unwrap();
    let start = std::time::Instant::now();
    let source = Source {
        name: file.clone(),
        identity: file.clone(),
        service: "unknown".into(),
        observed: 1795980000_000_000_000,
        offset: 0,
    };
    let input = std::io::BufReader::with_capacity(1 << 18, std::fs::File::open(&file).unwrap());
    let r = clean(input, &source, &mut Null).unwrap();
    let s = start.elapsed().as_secs_f64();
    eprintln!("closes {} {:.0} MB/s {:.2} s {:?}", r.closes(), r.bytes as f64 / s / 1e6, s, r.formats);
}
