// Ready searches, and the length of vectors.
#include "ready.h"

#include <array>
#include <string_view>
#include <utility>

#include "bindings.h"
#include "parallel.h"
#include "stop.h"

namespace palimpsest {
namespace {

// One contiguous row of T: asked for by every search, and half as long as an `nb::ndarray` takes.
template <typename T>
class Row {
 public:
  Row(nb::handle array, char format, bool is_written) {
    const int flags = PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (is_written ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(array.ptr(), &buffer_, flags) != 0) throw nb::python_error();
    const bool fits =
        buffer_.ndim == 1 && buffer_.itemsize == sizeof(T) &&
        (buffer_.format[0] == format || buffer_.format[0] == (format == 'Q' ? 'L' : format));
    if (!fits) {
      PyBuffer_Release(&buffer_);
      throw std::invalid_argument("expected one contiguous row of another type");
    }
  }
  Row(const Row&) = delete;
  Row& operator=(const Row&) = delete;
  ~Row() { PyBuffer_Release(&buffer_); }

  T* data() const { return static_cast<T*>(buffer_.buf); }
  size_t size() const { return static_cast<size_t>(buffer_.shape[0]); }

 private:
  Py_buffer buffer_;
};

using Ids = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

// One text among several that are answered at once.
struct Text {
  std::string_view numbers;
  bool is_answered = false;
  std::string hits;
  ReadyAnswer answer;
};

class PyReady {
 public:
  PyReady(size_t size, size_t fetch, size_t offset, size_t k, float farthest, bool is_cosine,
          bool is_dot) {
    require(size >= 1 && fetch >= 1 && k >= 1, "size, fetch and k must be at least 1");
    search_.size = size;
    search_.fetch = fetch;
    search_.offset = offset;
    search_.k = k;
    search_.farthest = farthest;
    search_.is_cosine = is_cosine;
    search_.is_dot = is_dot;
  }

  void add(nb::object segment, const Walk& how, const Depth& rescoring, nb::object among,
           float usual, const Ids& ids, const In1<uint32_t>& numbers, const In1<uint64_t>& slots,
           nb::object arrays) {
    const SegmentView& view = nb::cast<const BoundSegment&>(segment).view;
    const auto& rows = nb::cast<const BoundRows&>(among);
    require(view.graph != nullptr && view.n > search_.fetch, "no graph, or too few rows");
    require(view.size == search_.size, "the segment holds vectors of another size");
    require(rows.among == nullptr && rows.first.n == view.n, "a walk needs all rows");
    require(numbers.shape(0) >= view.n && slots.shape(0) >= view.n && ids.shape(0) >= view.n,
            "ids, numbers or slots are fewer than the rows");
    const bool is_word = ids.ndim() == 1 && ids.dtype() == nb::dtype<uint64_t>();
    require(
        is_word || (ids.ndim() == 2 && ids.shape(1) == 17 && ids.dtype() == nb::dtype<uint8_t>()),
        "ids must be (n,) uint64 or (n, 17) uint8");
    const auto [walk, depth] = fitted(how, rescoring, search_.fetch + 1, usual);
    search_.parts.push_back({&view, walk, depth, rows.first,
                             is_word ? static_cast<const uint64_t*>(ids.data()) : nullptr,
                             is_word ? nullptr : static_cast<const uint8_t*>(ids.data()),
                             numbers.data(), slots.data()});
    held_.push_back(std::move(segment));
    held_.push_back(std::move(among));
    held_.push_back(std::move(arrays));
  }

  // Ids, slots and counts of the hits of a vector, whose distances and numbers (k,) are written;
  // None where the long way has to answer.
  nb::object find(nb::handle query, nb::handle distances, nb::handle numbers) const {
    const Row<float> given(query, 'f', false), out(distances, 'f', true);
    const Row<uint32_t> out_numbers(numbers, 'I', true);
    require(given.size() == search_.size, "the vector has the wrong length");
    require(out.size() >= search_.k && out_numbers.size() >= search_.k, "outputs shorter than k");
    static thread_local ReadyAnswer answer;  // whose memory the next search takes over
    bool is_answered;
    {
      const nb::gil_scoped_release release;
      is_answered = search_.answer(given.data(), answer);
    }
    if (!is_answered) return nb::none();
    const std::vector<ReadyHit>& hits = answer.hits;
    nb::object ids = nb::steal(PyList_New(static_cast<Py_ssize_t>(hits.size())));
    nb::object slots = nb::steal(PyList_New(static_cast<Py_ssize_t>(hits.size())));
    for (size_t i = 0; i < hits.size(); ++i) {
      const ReadyPart& part = search_.parts[hits[i].part];
      const uint32_t row = hits[i].row;
      out.data()[i] = hits[i].distance;
      out_numbers.data()[i] = part.numbers[row];
      PyList_SET_ITEM(ids.ptr(), static_cast<Py_ssize_t>(i), id_of(part, row));
      PyList_SET_ITEM(slots.ptr(), static_cast<Py_ssize_t>(i),
                      PyLong_FromUnsignedLongLong(part.slots[row]));
    }
    return nb::make_tuple(ids, slots, told(answer));
  }

  // Answers texts of vectors at once, on several threads: of each the hits as text, how many they
  // are, and counts; None where the long way has to. A text is (bytes, from, to).
  nb::list answer_texts(const nb::list& texts, nb::handle seqs, bool is_similarity,
                        SearchThreads& threads) const {
    const Row<uint64_t> known(seqs, 'Q', false);
    std::vector<Text> every(texts.size());
    for (size_t i = 0; i < every.size(); ++i) {
      const auto [text, from, to] = nb::cast<std::tuple<nb::bytes, size_t, size_t>>(texts[i]);
      require(from <= to && to <= text.size(), "a vector lies outside of its text");
      every[i].numbers = {text.c_str() + from, to - from};  // the caller's list holds it
    }
    const Stop* stop = current_stop();
    {
      const nb::gil_scoped_release release;
      threads.run(every.size(), [&](size_t from, size_t to, size_t) {
        const Stop* before = std::exchange(current_stop(), stop);
        try {
          for (size_t i = from; i < to; ++i) answer_text(every[i], known, is_similarity);
        } catch (...) {
          current_stop() = before;
          throw;
        }
        current_stop() = before;
      });
    }
    nb::list found;
    for (const Text& one : every) {
      if (!one.is_answered) {
        found.append(nb::none());
        continue;
      }
      const nb::bytes hits(one.hits.data(), one.hits.size());
      found.append(nb::make_tuple(hits, one.answer.hits.size(), told(one.answer)));
    }
    return found;
  }

 private:
  void answer_text(Text& one, const Row<uint64_t>& seqs, bool is_similarity) const {
    static thread_local std::vector<float> vector;
    vector.resize(search_.size);
    const char* begin = one.numbers.data();
    try {
      const size_t n = parse_floats(begin, begin + one.numbers.size(), vector.data(), search_.size);
      if (n != search_.size) return;
    } catch (const std::invalid_argument&) {
      return;  // the long way words it
    }
    one.is_answered =
        search_.answer(vector.data(), one.answer) &&
        write_hits(search_, one.answer.hits, seqs.data(), seqs.size(), is_similarity, one.hits);
  }

  // Visited, scored, rescored, extended, scanned; nanoseconds of planning, walks and merging.
  static nb::object told(const ReadyAnswer& answer) {
    const SearchCounts& counts = answer.counts;
    return nb::make_tuple(counts.visited, counts.scored, counts.rescored, counts.extended,
                          counts.scanned, answer.spent.plan, answer.spent.traverse,
                          answer.spent.merge);
  }

  static PyObject* id_of(const ReadyPart& part, uint32_t row) {
    if (part.ids != nullptr) return PyLong_FromUnsignedLongLong(part.ids[row]);
    const auto* id = reinterpret_cast<const char*>(part.wide_ids + size_t{17} * row);
    return PyBytes_FromStringAndSize(id, 17);  // read by Python
  }

  ReadySearch search_;
  std::vector<nb::object> held_;  // what the parts point into
};

double squared_length_of(nb::handle vector) {
  const Row<float> row(vector, 'f', false);
  return squared_length(row.data(), row.size());
}

void to_unit_of(nb::handle vector, double norm2, nb::handle out) {
  const Row<float> from(vector, 'f', false), to(out, 'f', true);
  require(from.size() == to.size(), "output has another length");
  to_unit(from.data(), from.size(), norm2, to.data());
}

}  // namespace

void bind_ready(nb::module_& m) {
  m.def("squared_length", &squared_length_of, "vector"_a);
  m.def("to_unit", &to_unit_of, "vector"_a, "squared_length"_a, "out"_a);
  nb::class_<PyReady>(m, "ReadySearch")
      .def(nb::init<size_t, size_t, size_t, size_t, float, bool, bool>(), "size"_a, "fetch"_a,
           "offset"_a, "k"_a, "farthest"_a, "is_cosine"_a, "is_dot"_a)
      .def("add", &PyReady::add, "segment"_a, "walk"_a, "rescoring"_a, "among"_a, "usual"_a,
           "ids"_a, "numbers"_a, "slots"_a, "arrays"_a)
      .def("find", &PyReady::find, "query"_a, "distances"_a, "numbers"_a)
      .def("answer_texts", &PyReady::answer_texts, "texts"_a, "seqs"_a, "is_similarity"_a,
           "threads"_a);
}

}  // namespace palimpsest
