// A main for fuzz targets outside libFuzzer: runs the target once over every file of the given
// files and folders, and over an empty input.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> FilesUnder(const fs::path& path) {
  std::vector<fs::path> files;
  if (fs::is_regular_file(path)) files.push_back(path);
  if (fs::is_directory(path)) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  // The same order everywhere makes a failure easy to repeat.
  std::sort(files.begin(), files.end());
  return files;
}

void Replay(const std::vector<std::uint8_t>& input) {
  // A copy of the exact size, so that reading one byte too far is seen.
  const std::vector<std::uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 0;
  Replay({});
  for (int i = 1; i < argc; ++i) {
    for (const fs::path& file : FilesUnder(argv[i])) {
      std::ifstream stream(file, std::ios::binary);
      const std::vector<std::uint8_t> input{std::istreambuf_iterator<char>(stream),
                                            std::istreambuf_iterator<char>()};
      // Said before the run, so that the last line names the file that failed.
      std::fprintf(stderr, "%s\n", file.c_str());
      Replay(input);
      ++count;
    }
  }
  std::printf("replayed %zu files\n", count);
  return 0;
}
