/* MD5 of many byte streams at once, in the lanes of a vector register, and of many files at once.

   An MD5 (RFC 1321) is a chain of operations of which each waits for the one before, so a processor computes one at some
   600 MB/s, however wide it is. Streams do not wait for each other: LANES of them advance together, each in its 32 bits
   of a vector. The vector types are those of GCC and Clang, which make AVX2, SSE2, NEON or plain instructions of them.

   Knows nothing of Python, keys or stores. Calls share nothing, so any thread may make any of them. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define LANES 8
#define BLOCK 64
#define BUFFER (64 * 1024) /* of each file that is open: whole blocks, and all fit into the second cache */

typedef uint32_t vector __attribute__((vector_size(4 * LANES)));

struct md5 { /* one stream; `hashmark_md5_start` makes it an empty one */
    uint32_t state[4];
    uint32_t held; /* bytes in `tail` that no block has been made of yet */
    uint64_t size; /* bytes in all */
    unsigned char tail[BLOCK];
};

struct file { /* what was found out about one file */
    int64_t size, mtime_ns, ctime_ns;
    uint64_t inode, device;
    unsigned char digest[16];
    int64_t error; /* an errno, 0, CHANGED or NOT_A_FILE */
};

#define CHANGED (-1)
#define NOT_A_FILE (-2)

/* The sixteen words of a block are little-endian (RFC 1321, section 2). */
static inline uint32_t word(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    return value;
}

#define F(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define G(x, y, z) ((y) ^ ((z) & ((x) ^ (y))))
#define H(x, y, z) ((x) ^ (y) ^ (z))
#define I(x, y, z) ((y) ^ ((x) | ~(z)))
#define STEP(f, a, b, c, d, i, turn, constant)             \
    a += f(b, c, d) + (w[i] + (uint32_t)constant);         \
    a = ((a << turn) | (a >> (32 - turn))) + b;

/* The 64 steps of one block (RFC 1321, section 3.4), for words of any type. */
#define STEPS                                                                                        \
    STEP(F, a, b, c, d, 0, 7, 0xd76aa478) STEP(F, d, a, b, c, 1, 12, 0xe8c7b756)                     \
    STEP(F, c, d, a, b, 2, 17, 0x242070db) STEP(F, b, c, d, a, 3, 22, 0xc1bdceee)                    \
    STEP(F, a, b, c, d, 4, 7, 0xf57c0faf) STEP(F, d, a, b, c, 5, 12, 0x4787c62a)                     \
    STEP(F, c, d, a, b, 6, 17, 0xa8304613) STEP(F, b, c, d, a, 7, 22, 0xfd469501)                    \
    STEP(F, a, b, c, d, 8, 7, 0x698098d8) STEP(F, d, a, b, c, 9, 12, 0x8b44f7af)                     \
    STEP(F, c, d, a, b, 10, 17, 0xffff5bb1) STEP(F, b, c, d, a, 11, 22, 0x895cd7be)                  \
    STEP(F, a, b, c, d, 12, 7, 0x6b901122) STEP(F, d, a, b, c, 13, 12, 0xfd987193)                   \
    STEP(F, c, d, a, b, 14, 17, 0xa679438e) STEP(F, b, c, d, a, 15, 22, 0x49b40821)                  \
    STEP(G, a, b, c, d, 1, 5, 0xf61e2562) STEP(G, d, a, b, c, 6, 9, 0xc040b340)                      \
    STEP(G, c, d, a, b, 11, 14, 0x265e5a51) STEP(G, b, c, d, a, 0, 20, 0xe9b6c7aa)                   \
    STEP(G, a, b, c, d, 5, 5, 0xd62f105d) STEP(G, d, a, b, c, 10, 9, 0x02441453)                     \
    STEP(G, c, d, a, b, 15, 14, 0xd8a1e681) STEP(G, b, c, d, a, 4, 20, 0xe7d3fbc8)                   \
    STEP(G, a, b, c, d, 9, 5, 0x21e1cde6) STEP(G, d, a, b, c, 14, 9, 0xc33707d6)                     \
    STEP(G, c, d, a, b, 3, 14, 0xf4d50d87) STEP(G, b, c, d, a, 8, 20, 0x455a14ed)                    \
    STEP(G, a, b, c, d, 13, 5, 0xa9e3e905) STEP(G, d, a, b, c, 2, 9, 0xfcefa3f8)                     \
    STEP(G, c, d, a, b, 7, 14, 0x676f02d9) STEP(G, b, c, d, a, 12, 20, 0x8d2a4c8a)                   \
    STEP(H, a, b, c, d, 5, 4, 0xfffa3942) STEP(H, d, a, b, c, 8, 11, 0x8771f681)                     \
    STEP(H, c, d, a, b, 11, 16, 0x6d9d6122) STEP(H, b, c, d, a, 14, 23, 0xfde5380c)                  \
    STEP(H, a, b, c, d, 1, 4, 0xa4beea44) STEP(H, d, a, b, c, 4, 11, 0x4bdecfa9)                     \
    STEP(H, c, d, a, b, 7, 16, 0xf6bb4b60) STEP(H, b, c, d, a, 10, 23, 0xbebfbc70)                   \
    STEP(H, a, b, c, d, 13, 4, 0x289b7ec6) STEP(H, d, a, b, c, 0, 11, 0xeaa127fa)                    \
    STEP(H, c, d, a, b, 3, 16, 0xd4ef3085) STEP(H, b, c, d, a, 6, 23, 0x04881d05)                    \
    STEP(H, a, b, c, d, 9, 4, 0xd9d4d039) STEP(H, d, a, b, c, 12, 11, 0xe6db99e5)                    \
    STEP(H, c, d, a, b, 15, 16, 0x1fa27cf8) STEP(H, b, c, d, a, 2, 23, 0xc4ac5665)                   \
    STEP(I, a, b, c, d, 0, 6, 0xf4292244) STEP(I, d, a, b, c, 7, 10, 0x432aff97)                     \
    STEP(I, c, d, a, b, 14, 15, 0xab9423a7) STEP(I, b, c, d, a, 5, 21, 0xfc93a039)                   \
    STEP(I, a, b, c, d, 12, 6, 0x655b59c3) STEP(I, d, a, b, c, 3, 10, 0x8f0ccc92)                    \
    STEP(I, c, d, a, b, 10, 15, 0xffeff47d) STEP(I, b, c, d, a, 1, 21, 0x85845dd1)                   \
    STEP(I, a, b, c, d, 8, 6, 0x6fa87e4f) STEP(I, d, a, b, c, 15, 10, 0xfe2ce6e0)                    \
    STEP(I, c, d, a, b, 6, 15, 0xa3014314) STEP(I, b, c, d, a, 13, 21, 0x4e0811a1)                   \
    STEP(I, a, b, c, d, 4, 6, 0xf7537e82) STEP(I, d, a, b, c, 11, 10, 0xbd3af235)                    \
    STEP(I, c, d, a, b, 2, 15, 0x2ad7d2bb) STEP(I, b, c, d, a, 9, 21, 0xeb86d391)

/* Advance one state by `count` blocks. */
static void advance_one(uint32_t state[4], const unsigned char *data, size_t count)
{
    for (; count > 0; count--, data += BLOCK) {
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3], w[16];
        for (int i = 0; i < 16; i++)
            w[i] = word(data + 4 * i);
        STEPS
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    }
}

/* Advance LANES states by `count` blocks each. */
#define ADVANCE_ALL                                                                                  \
    vector s0, s1, s2, s3;                                                                           \
    for (int k = 0; k < LANES; k++)                                                                  \
        s0[k] = state[k][0], s1[k] = state[k][1], s2[k] = state[k][2], s3[k] = state[k][3];          \
    for (size_t at = 0; at < count * BLOCK; at += BLOCK) {                                           \
        vector a = s0, b = s1, c = s2, d = s3, w[16];                                                \
        for (int i = 0; i < 16; i++)                                                                 \
            w[i] = (vector){word(data[0] + at + 4 * i), word(data[1] + at + 4 * i),                  \
                            word(data[2] + at + 4 * i), word(data[3] + at + 4 * i),                  \
                            word(data[4] + at + 4 * i), word(data[5] + at + 4 * i),                  \
                            word(data[6] + at + 4 * i), word(data[7] + at + 4 * i)};                 \
        STEPS                                                                                        \
        s0 += a, s1 += b, s2 += c, s3 += d;                                                          \
    }                                                                                                \
    for (int k = 0; k < LANES; k++)                                                                  \
        state[k][0] = s0[k], state[k][1] = s1[k], state[k][2] = s2[k], state[k][3] = s3[k];

static void advance_all_plain(uint32_t state[LANES][4], const unsigned char *data[LANES], size_t count)
{
    ADVANCE_ALL
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void advance_all_avx2(uint32_t state[LANES][4],
                                                             const unsigned char *data[LANES], size_t count)
{
    ADVANCE_ALL
}
#endif

typedef void advance(uint32_t state[LANES][4], const unsigned char *data[LANES], size_t count);

static advance *fastest(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return advance_all_avx2;
#endif
    return advance_all_plain;
}

/* What one lane has to do: `blocks` whole blocks at `data`, for the stream or file number `owner`. */
struct lane {
    uint32_t *state;
    const unsigned char *data;
    size_t blocks;
    int owner;
};

/* Advance `count` lanes, each of which has blocks, until the first has none left. */
static void advance_lanes(struct lane lanes[], int count, advance *all)
{
    size_t most = lanes[0].blocks;
    for (int k = 1; k < count; k++)
        if (lanes[k].blocks < most)
            most = lanes[k].blocks;
    if (count == 1) {
        advance_one(lanes[0].state, lanes[0].data, most);
    } else {
        uint32_t state[LANES][4];
        const unsigned char *data[LANES];
        for (int k = 0; k < LANES; k++) { /* a lane without work repeats the first one's, in vain */
            const struct lane *lane = &lanes[k < count ? k : 0];
            memcpy(state[k], lane->state, sizeof state[k]);
            data[k] = lane->data;
        }
        all(state, data, most);
        for (int k = 0; k < count; k++)
            memcpy(lanes[k].state, state[k], sizeof state[k]);
    }
    for (int k = 0; k < count; k++) {
        lanes[k].data += most * BLOCK;
        lanes[k].blocks -= most;
    }
}

static const uint32_t BEGINNING[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

/* Write the end of a stream after its last `held` bytes (fewer than a block): a one bit, zeros, and the number of bits in
   64 bits (RFC 1321, sections 3.1 and 3.2). Return the number of blocks there, one or two. */
static size_t pad(unsigned char *tail, size_t held, uint64_t size)
{
    size_t blocks = held < BLOCK - 8 ? 1 : 2;
    tail[held] = 0x80;
    memset(tail + held + 1, 0, blocks * BLOCK - 8 - held - 1);
    for (int i = 0; i < 8; i++)
        tail[blocks * BLOCK - 8 + i] = (unsigned char)((size << 3) >> (8 * i));
    return blocks;
}

static void write_digest(const uint32_t state[4], unsigned char digest[16])
{
    for (int i = 0; i < 16; i++)
        digest[i] = (unsigned char)(state[i / 4] >> (8 * (i % 4)));
}

EXPORT const char *hashmark_md5_lanes(void)
{
#if defined(__x86_64__)
    return fastest() == advance_all_avx2 ? "AVX2" : "SSE2";
#elif defined(__aarch64__)
    return "NEON";
#else
    return "compiled";
#endif
}

/* Changes with every change of what the functions take or return. */
EXPORT int hashmark_md5_interface(void)
{
    return 3;
}

EXPORT size_t hashmark_md5_bytes(void)
{
    return sizeof(struct md5);
}

EXPORT void hashmark_md5_start(struct md5 *stream)
{
    memset(stream, 0, sizeof *stream);
    memcpy(stream->state, BEGINNING, sizeof stream->state);
}

/* Take what completes a block begun earlier. Return how many bytes that were. */
static size_t complete_tail(struct md5 *stream, const unsigned char *data, size_t size)
{
    if (stream->held == 0)
        return 0;
    size_t taken = BLOCK - stream->held < size ? BLOCK - stream->held : size;
    memcpy(stream->tail + stream->held, data, taken);
    stream->held += (uint32_t)taken;
    if (stream->held == BLOCK) {
        advance_one(stream->state, stream->tail, 1);
        stream->held = 0;
    }
    return taken;
}

/* Add the next bytes to each of `count` different streams. */
EXPORT void hashmark_md5_update(struct md5 *const streams[], const unsigned char *const data[], const size_t sizes[],
                                int count)
{
    advance *all = fastest();
    struct lane lanes[LANES];
    int active = 0, next = 0;
    for (;;) {
        for (; active < LANES && next < count; next++) {
            struct md5 *stream = streams[next];
            size_t taken = complete_tail(stream, data[next], sizes[next]);
            size_t blocks = (sizes[next] - taken) / BLOCK, held = (sizes[next] - taken) % BLOCK;
            memcpy(stream->tail + stream->held, data[next] + taken + blocks * BLOCK, held);
            stream->held += (uint32_t)held;
            stream->size += sizes[next];
            if (blocks > 0)
                lanes[active++] = (struct lane){stream->state, data[next] + taken, blocks, next};
        }
        if (active == 0)
            return;
        advance_lanes(lanes, active, all);
        for (int k = active - 1; k >= 0; k--)
            if (lanes[k].blocks == 0)
                lanes[k] = lanes[--active];
    }
}

/* Write the digest of all bytes so far (16 bytes); the stream can go on. */
EXPORT void hashmark_md5_digest(const struct md5 *stream, unsigned char digest[16])
{
    struct md5 end = *stream;
    unsigned char tail[2 * BLOCK];
    memcpy(tail, stream->tail, stream->held);
    advance_one(end.state, tail, pad(tail, stream->held, stream->size));
    write_digest(end.state, digest);
}

/* A file that is being read. */
struct reader {
    struct file *file;
    int descriptor;
    int has_ended;
    int64_t size;          /* bytes read so far */
    uint32_t state[4];
    unsigned char *buffer; /* BUFFER bytes, and two blocks for the end */
    unsigned char *copy;   /* where the content goes as well, if it has at most `room` bytes */
    size_t room;
};

static void read_stamp(const struct stat *facts, struct file *file)
{
#if defined(__APPLE__)
    const struct timespec *mtime = &facts->st_mtimespec, *ctime = &facts->st_ctimespec;
#else
    const struct timespec *mtime = &facts->st_mtim, *ctime = &facts->st_ctim;
#endif
    file->size = (int64_t)facts->st_size;
    file->mtime_ns = (int64_t)mtime->tv_sec * 1000000000 + mtime->tv_nsec;
    file->ctime_ns = (int64_t)ctime->tv_sec * 1000000000 + ctime->tv_nsec;
    file->inode = (uint64_t)facts->st_ino;
    file->device = (uint64_t)facts->st_dev;
}

static int is_same(const struct file *a, const struct file *b)
{
    return a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns && a->inode == b->inode &&
           a->device == b->device;
}

/* Open a file and note its stamp. Return whether that went well; if not, its error says why. */
static int begin(struct reader *reader, const char *path, struct file *file, unsigned char *copy, size_t room)
{
    struct stat facts;
    /* Without waiting for a writer, if it has become a pipe. */
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) {
        file->error = errno;
        return 0;
    }
#if defined(__linux__)
    /* Mapped pages that are dirty, so that a later write through the same map changes the stamp; it may be refused. */
    (void)sync_file_range(descriptor, 0, 0,
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
#endif
    file->error = fstat(descriptor, &facts) != 0 ? errno : S_ISREG(facts.st_mode) ? 0 : NOT_A_FILE;
    if (file->error != 0) {
        close(descriptor);
        return 0;
    }
    read_stamp(&facts, file);
    *reader = (struct reader){
        .file = file, .descriptor = descriptor, .buffer = reader->buffer, .copy = copy, .room = room};
    memcpy(reader->state, BEGINNING, sizeof reader->state);
    return 2;
}

/* Close a file that was read; it must be what it was before. */
static void finish(struct reader *reader)
{
    struct file *file = reader->file, now = *file;
    struct stat facts;
    if (file->error == 0) {
        if (fstat(reader->descriptor, &facts) != 0)
            file->error = errno;
        else {
            read_stamp(&facts, &now);
            file->error = is_same(file, &now) && reader->size == file->size ? 0 : CHANGED;
        }
    }
    close(reader->descriptor);
    write_digest(reader->state, file->digest);
}

/* Read more, and return how many blocks are in the buffer. None: the file has ended, or failed. */
static size_t refill(struct reader *reader)
{
    size_t filled = 0;
    if (reader->has_ended)
        return 0;
    while (filled < BUFFER) {
        ssize_t count = read(reader->descriptor, reader->buffer + filled, BUFFER - filled);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            reader->file->error = errno;
            return 0;
        }
        filled += (size_t)count;
        reader->size += count;
        if (reader->size > reader->file->size) { /* it grows, perhaps without end */
            reader->file->error = CHANGED;
            return 0;
        }
        /* A read that brings less than it may has met the end, if all that was there has come. */
        if (count == 0 || (reader->size == reader->file->size && filled < BUFFER)) {
            reader->has_ended = 1;
            if ((size_t)reader->size == filled && filled <= reader->room)
                memcpy(reader->copy, reader->buffer, filled);
            return filled / BLOCK + pad(reader->buffer + filled / BLOCK * BLOCK, filled % BLOCK, (uint64_t)reader->size);
        }
    }
    return BUFFER / BLOCK;
}

/* Hash `count` files, whose paths follow each other, each with its final zero. Of each, `files` then has the stamp, the
   same before and after it was read, and the digest; or an error. The content of a file with at most `room` bytes is
   copied to `copies`, which has so many for each file. */
EXPORT void hashmark_md5_files(const char *paths, struct file files[], int count, unsigned char *copies, size_t room)
{
    advance *all = fastest();
    struct reader readers[LANES];
    struct lane lanes[LANES];
    int idle[LANES], idle_count = 0, active = 0, next = 0;
    unsigned char *buffers = malloc((size_t)LANES * (BUFFER + 2 * BLOCK));
    for (int i = 0; i < count && buffers == NULL; i++)
        files[i].error = ENOMEM;
    if (buffers == NULL)
        return;
    for (int k = 0; k < LANES; k++) {
        readers[k].buffer = buffers + (size_t)k * (BUFFER + 2 * BLOCK);
        idle[idle_count++] = k;
    }
    for (;;) {
        while (idle_count > 0 && next < count) {
            int owner = idle[idle_count - 1];
            if (begin(&readers[owner], paths, &files[next], copies + (size_t)next * room, room)) {
                idle_count--;
                lanes[active++] = (struct lane){readers[owner].state, NULL, 0, owner};
            }
            paths += strlen(paths) + 1;
            next++;
        }
        for (int k = active - 1; k >= 0; k--) {
            struct reader *reader = &readers[lanes[k].owner];
            if (lanes[k].blocks > 0)
                continue;
            lanes[k].data = reader->buffer;
            lanes[k].blocks = refill(reader);
            if (lanes[k].blocks == 0) {
                finish(reader);
                idle[idle_count++] = lanes[k].owner;
                lanes[k] = lanes[--active];
            }
        }
        if (active > 0 && (idle_count == 0 || next == count))
            advance_lanes(lanes, active, all);
        else if (active == 0 && next == count)
            break;
    }
    free(buffers);
}

/* Note the stamps of `count` files, whose paths follow each other as above, or an error. */
EXPORT void hashmark_md5_stamps(const char *paths, struct file files[], int count)
{
    struct stat facts;
    for (int i = 0; i < count; i++, paths += strlen(paths) + 1) {
        files[i].error = stat(paths, &facts) != 0 ? errno : S_ISREG(facts.st_mode) ? 0 : NOT_A_FILE;
        if (files[i].error == 0)
            read_stamp(&facts, &files[i]);
    }
}
