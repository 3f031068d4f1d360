//! A column of a row group: pages that are compressed as they fill up.

use std::io::{self, Write};

use parquet::basic::{Encoding, PageType, Type};
use parquet::column::page::{CompressedPage, Page};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};

use super::bounds::Bounds;
use super::dictionary::Dictionary;
use super::hybrid;
use super::pages::Pages;
use super::zstd::Compressor;
use crate::properties;
use crate::schema::{Column, Kind};

/// Bytes of a page before compression, about.
pub(crate) const PAGE_BYTES: usize = 1 << 16;

/// Levels of a page.
const PAGE_LEVELS: usize = 1 << 15;

/// Rows of a page.
const PAGE_ROWS: usize = 20_000;

/// Values of the page that is being filled.
enum Values {
    Plain(Vec<u8>),
    /// The dictionary, and the indexes of the page's values in it.
    Dictionary(Dictionary, hybrid::Values<u32>),
}

/// A column of the row group that is being written.
pub(crate) struct Chunk {
    descriptor: ColumnDescPtr,
    values: Values,
    /// Levels of the page that is being filled; none where they are all 0 by the schema.
    definitions: hybrid::Values<u8>,
    repetitions: hybrid::Values<u8>,
    /// Values and nulls of the page that is being filled, and its rows.
    page_levels: usize,
    page_rows: usize,
    /// Values and nulls of the pages before.
    levels: usize,
    rows: u64,
    nulls: u64,
    /// Bytes of all texts, which tell compaction how many rows fit in memory at once.
    text_bytes: usize,
    /// The index of the last row's value in the dictionary; none where it is null.
    last: Option<u32>,
    pages: Pages,
    bounds: Option<Bounds>,
}

/// What came of the texts at a place of the rows' lists: what is likely of the next one there.
#[derive(Debug, Default)]
pub(crate) struct Element {
    /// Where the dictionary has the last one.
    index: u32,
    /// How many were new since one was not.
    new: u32,
}

impl Element {
    /// New texts from which on the next one is taken for new as well, as where each is an id.
    const NEW: u32 = 64;

    /// Of those that are taken for new, one in so many is looked for: other texts may come.
    const LOOKED_FOR: u32 = 16;

    /// Bytes up to which a text is taken for new: of a longer one a look-up costs less than to store it twice.
    const SHORT: usize = 64;

    fn index_of(&mut self, dictionary: &mut Dictionary, text: &[u8]) -> u32 {
        if dictionary.is(self.index, text) {
            return self.index;
        }
        let count = dictionary.len();
        let is_new = self.new > Self::NEW && !self.new.is_multiple_of(Self::LOOKED_FOR) && text.len() <= Self::SHORT;
        let index =
            if is_new { dictionary.append(&length(text), text) } else { dictionary.index_of(&length(text), text) };
        self.new = if dictionary.len() > count { self.new.wrapping_add(1) } else { 0 };
        self.index = index;
        index
    }
}

/// A column that is complete.
pub(crate) struct Encoded {
    pages: Pages,
    close: ColumnCloseResult,
}

impl Chunk {
    /// A column; `repeats` where a dictionary is to be made of its values, `compared` where their bounds are of use.
    fn new(descriptor: ColumnDescPtr, repeats: bool, compared: bool) -> Self {
        let bounds = compared.then(|| Bounds::new(descriptor.physical_type()));
        Self {
            descriptor,
            values: if repeats {
                Values::Dictionary(Dictionary::default(), hybrid::Values::default())
            } else {
                Values::Plain(Vec::new())
            },
            definitions: hybrid::Values::default(),
            repetitions: hybrid::Values::default(),
            page_levels: 0,
            page_rows: 0,
            levels: 0,
            rows: 0,
            nulls: 0,
            text_bytes: 0,
            last: None,
            pages: Pages::default(),
            bounds,
        }
    }

    /// A chunk for each column of a file's schema, which are these: a map is two of them.
    ///
    /// # Errors
    ///
    /// Where the file has other columns.
    pub(crate) fn all<const LEAVES: usize>(
        schema: &SchemaDescriptor,
        columns: &[Column],
    ) -> io::Result<[Self; LEAVES]> {
        let chunk = |leaf: &ColumnDescPtr| {
            let column =
                columns.iter().find(|column| leaf.path().parts().first().is_some_and(|name| name == column.name))?;
            Some(Self::new(leaf.clone(), column.repeats || column.kind == Kind::Map, column.compared))
        };
        let chunks: Option<Vec<Self>> = schema.columns().iter().map(chunk).collect();
        let chunks = chunks.and_then(|chunks| chunks.try_into().ok());
        chunks.ok_or_else(|| io::Error::other("the file has other columns than its rows"))
    }

    /// Appends a row's number of 32 bits.
    pub(crate) fn int32(&mut self, value: Option<i32>) {
        match value {
            Some(value) => self.number(value.to_le_bytes()),
            None => self.null(),
        }
    }

    /// Appends a row's number of 64 bits.
    pub(crate) fn int64(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.number(value.to_le_bytes()),
            None => self.null(),
        }
    }

    /// Appends a row's number.
    pub(crate) fn double(&mut self, value: Option<f64>) {
        match value {
            Some(value) => self.number(value.to_le_bytes()),
            None => self.null(),
        }
    }

    /// Appends a row's number in the PLAIN encoding.
    #[inline]
    fn number<const BYTES: usize>(&mut self, value: [u8; BYTES]) {
        self.count_row();
        match &mut self.values {
            Values::Plain(page) => page.extend_from_slice(&value),
            Values::Dictionary(..) => self.index(&[], &value),
        }
    }

    /// Appends a row's text.
    pub(crate) fn text(&mut self, text: Option<&[u8]>) {
        let Some(text) = text else { return self.null() };
        self.text_bytes += text.len();
        self.count_row();
        match &mut self.values {
            Values::Plain(page) => {
                page.extend_from_slice(&length(text));
                page.extend_from_slice(text);
            }
            Values::Dictionary(..) => self.index(&length(text), text),
        }
    }

    /// Appends the index of a row's value; `prefix` is what the PLAIN encoding has in front of it.
    fn index(&mut self, prefix: &[u8], value: &[u8]) {
        if let Values::Dictionary(dictionary, indexes) = &mut self.values {
            let last = self.last.filter(|&index| dictionary.is(index, value));
            let index = last.unwrap_or_else(|| dictionary.index_of(prefix, value));
            self.last = Some(index);
            indexes.push(index);
        }
    }

    /// Appends the value of the row before if it `is_same`; of a column with a dictionary. Returns whether it was.
    #[inline]
    pub(crate) fn repeat(&mut self, is_same: bool) -> bool {
        if is_same {
            match (&mut self.values, self.last) {
                (Values::Dictionary(_, indexes), Some(index)) => {
                    indexes.push(index);
                    self.count_row();
                }
                _ => self.null(),
            }
        }
        is_same
    }

    /// Appends a text of a row's list, which begins a row where it is the first of it. `last` is what came of the text at this place in
    /// the row before.
    pub(crate) fn element(&mut self, is_first: bool, text: Option<&[u8]>, last: &mut Element) {
        let present = u8::try_from(self.descriptor.max_def_level()).unwrap_or_default();
        self.level(is_first, present - u8::from(text.is_none()));
        let Some(text) = text else { return };
        self.text_bytes += text.len();
        match &mut self.values {
            Values::Dictionary(dictionary, indexes) => indexes.push(last.index_of(dictionary, text)),
            Values::Plain(page) => {
                page.extend_from_slice(&length(text));
                page.extend_from_slice(text);
            }
        }
    }

    /// Appends a row's empty list.
    pub(crate) fn no_element(&mut self) {
        self.level(true, 0);
    }

    /// A level of a list's element.
    fn level(&mut self, is_first: bool, definition: u8) {
        self.page_levels += 1;
        self.page_rows += usize::from(is_first);
        self.definitions.push(definition);
        self.repetitions.push(u8::from(!is_first));
    }

    fn null(&mut self) {
        self.page_levels += 1;
        self.page_rows += 1;
        self.nulls += 1;
        self.definitions.push(0);
        self.last = None;
    }

    /// Counts a row that has a value.
    #[inline]
    fn count_row(&mut self) {
        self.page_levels += 1;
        self.page_rows += 1;
        if self.descriptor.max_def_level() > 0 {
            self.definitions.push(1);
        }
    }

    /// Ends the page if it is full; called between rows.
    ///
    /// # Errors
    ///
    /// Where it cannot be compressed.
    pub(crate) fn end_full_page(&mut self, compressor: &mut Compressor) -> io::Result<()> {
        let is_full = match &self.values {
            Values::Plain(page) => page.len() >= PAGE_BYTES,
            Values::Dictionary(..) => self.page_levels >= PAGE_LEVELS,
        };
        if is_full || self.page_rows >= PAGE_ROWS { self.end_page(compressor) } else { Ok(()) }
    }

    fn end_page(&mut self, compressor: &mut Compressor) -> io::Result<()> {
        let mut page = std::mem::take(&mut compressor.page);
        page.clear();
        let levels = [
            (&mut self.repetitions, self.descriptor.max_rep_level()),
            (&mut self.definitions, self.descriptor.max_def_level()),
        ];
        for (levels, greatest) in levels.into_iter().filter(|&(_, greatest)| greatest > 0) {
            let start = page.len();
            page.extend_from_slice(&[0; 4]);
            levels.encode(hybrid::width_of(usize::try_from(greatest).unwrap_or_default()), &mut page);
            let bytes = u32::try_from(page.len() - start - 4).map_err(io::Error::other)?.to_le_bytes();
            page[start..start + 4].copy_from_slice(&bytes);
        }
        let (encoding, bytes, buf) = match &mut self.values {
            Values::Plain(values) => {
                if let Some(bounds) = &mut self.bounds {
                    bounds.take(values);
                }
                // Without levels the values are the page.
                let whole = if page.is_empty() {
                    &*values
                } else {
                    page.extend_from_slice(values);
                    &page
                };
                let compressed = (Encoding::PLAIN, whole.len(), compressor.compress(whole)?);
                values.clear();
                compressed
            }
            Values::Dictionary(dictionary, indexes) => {
                let width = hybrid::width_of(dictionary.len().saturating_sub(1));
                page.push(width);
                indexes.encode(width, &mut page);
                (Encoding::RLE_DICTIONARY, page.len(), compressor.compress(&page)?)
            }
        };
        let data = Page::DataPage {
            buf,
            num_values: u32::try_from(self.page_levels).map_err(io::Error::other)?,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let data = CompressedPage::new(data, bytes);
        compressor.page = page;
        self.pages.push(data)?;
        self.levels += std::mem::take(&mut self.page_levels);
        self.rows += std::mem::take(&mut self.page_rows) as u64;
        Ok(())
    }

    /// Bytes of its pages so far, of those before compression too.
    pub(crate) fn size(&self) -> usize {
        self.pages.bytes()
            + match &self.values {
                Values::Plain(page) => page.len(),
                Values::Dictionary(dictionary, indexes) => dictionary.page().len() + indexes.len() * 2,
            }
    }

    /// Bytes that it takes in memory.
    pub(crate) fn memory(&self) -> usize {
        let levels = self.definitions.memory() + self.repetitions.memory();
        self.pages.bytes()
            + levels
            + match &self.values {
                Values::Plain(page) => page.capacity(),
                Values::Dictionary(dictionary, indexes) => dictionary.memory() + indexes.memory(),
            }
    }

    /// Ends the column chunk; the next row is the first one of another.
    ///
    /// # Errors
    ///
    /// Where a page cannot be compressed.
    pub(crate) fn finish(&mut self, compressor: &mut Compressor) -> io::Result<Encoded> {
        if self.page_levels > 0 {
            self.end_page(compressor)?;
        }
        let dictionary = match &mut self.values {
            Values::Plain(_) => None,
            Values::Dictionary(dictionary, _) => {
                if let Some(bounds) = &mut self.bounds {
                    bounds.take(dictionary.page());
                }
                let page = Page::DictionaryPage {
                    buf: compressor.compress(dictionary.page())?,
                    num_values: u32::try_from(dictionary.len()).map_err(io::Error::other)?,
                    encoding: Encoding::PLAIN,
                    is_sorted: false,
                };
                let page = CompressedPage::new(page, dictionary.page().len());
                dictionary.clear();
                Some(page)
            }
        };
        Ok(self.encoded(dictionary)?)
    }

    fn encoded(&mut self, dictionary: Option<CompressedPage>) -> parquet::errors::Result<Encoded> {
        let mut pages = std::mem::take(&mut self.pages);
        let has_dictionary = dictionary.is_some();
        let encoding = if has_dictionary { Encoding::RLE_DICTIONARY } else { Encoding::PLAIN };
        let count = i32::try_from(pages.count())?;
        let mut statistics = vec![PageEncodingStats { page_type: PageType::DATA_PAGE, encoding, count }];
        let mut data_offset = 0;
        if let Some(page) = dictionary {
            data_offset = pages.push_front(page)?;
            let page_type = PageType::DICTIONARY_PAGE;
            statistics.insert(0, PageEncodingStats { page_type, encoding: Encoding::PLAIN, count: 1 });
        }
        let mut metadata = ColumnChunkMetaData::builder(self.descriptor.clone())
            .set_compression(properties::zstd()?)
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, encoding])
            .set_page_encoding_stats(statistics)
            .set_num_values(i64::try_from(std::mem::take(&mut self.levels))?)
            .set_total_compressed_size(i64::try_from(pages.bytes())?)
            .set_total_uncompressed_size(i64::try_from(pages.uncompressed())?)
            .set_data_page_offset(i64::try_from(data_offset)?)
            .set_dictionary_page_offset(has_dictionary.then_some(0));
        let text_bytes = i64::try_from(std::mem::take(&mut self.text_bytes))?;
        if self.descriptor.physical_type() == Type::BYTE_ARRAY {
            metadata = metadata.set_unencoded_byte_array_data_bytes(Some(text_bytes));
        }
        self.last = None;
        let nulls = std::mem::take(&mut self.nulls);
        if let Some(bounds) = &mut self.bounds {
            let next = Bounds::new(self.descriptor.physical_type());
            metadata = metadata.set_statistics(std::mem::replace(bounds, next).statistics(nulls));
        }
        let close = ColumnCloseResult {
            bytes_written: pages.bytes() as u64,
            rows_written: std::mem::take(&mut self.rows),
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok(Encoded { pages, close })
    }
}

impl Encoded {
    /// Appends the column to a row group.
    ///
    /// # Errors
    ///
    /// Where it cannot be written, or is another one than the row group's next.
    pub(crate) fn append_to<W: Write + Send>(
        self,
        row_group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> parquet::errors::Result<()> {
        row_group.append_column(&self.pages, self.close)
    }
}

/// What the PLAIN encoding has in front of a text.
fn length(text: &[u8]) -> [u8; 4] {
    u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_new_each_time_are_no_longer_looked_for_and_texts_that_come_again_are() {
        let (mut dictionary, mut place) = (Dictionary::default(), Element::default());
        let mut append = |text: &str| {
            let index = place.index_of(&mut dictionary, text.as_bytes());
            assert!(dictionary.is(index, text.as_bytes()), "{text}");
            dictionary.len()
        };
        // All are other ones, but that each comes again after two others.
        let count = (0..1_000).map(|number| append(&format!("id {}", number / 6 * 3 + number % 3))).last();
        assert_eq!(count, Some(501), "a half comes again");
        let count = (0..1_000).map(|number| append(&format!("other {number}"))).last();
        assert_eq!(count, Some(1_501));
        let count = (0..100).map(|number| append(&format!("few {}", number % 2))).last();
        assert!(count.is_some_and(|count| count < 1_501 + 64), "{count:?}");
    }
}
