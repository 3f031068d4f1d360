#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
use millrace_lake::*;
fn main() {
    let mut args = std::env::args().skip(1);
    let (file, out) = (args.next().unwrap(), args.next().unwrap());
    let start = std::time::Instant::now();
    let mut folder = Folder::new(out);
    let source = Source {
        name: file.clone(),
        identity: file.clone(),
        service: "unknown".into(),
        observed: 1795980000_000_000_000,
        offset: 0,
    };
    let mut w = LakeWriter::new(&mut folder, &source);
    let input = std::io::BufReader::with_capacity(1 << 18, std::fs::File::open(&file).unwrap());
    let r = clean(input, &source, &mut w).unwrap();
    let paths = w.finish().unwrap();
    let s = start.elapsed().as_secs_f64();
    eprintln!("{:?} closes {} {:.0} MB/s {} files", r, r.closes(), r.bytes as f64 / s / 1e6, paths.len());
}
