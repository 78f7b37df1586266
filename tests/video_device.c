/* A camera of Video4Linux that isn't there, for tests: preloaded (LD_PRELOAD), it stands for /dev/video97.
 *
 * It captures 64 x 48 pixels (YUYV), 20 pictures a second, each brighter than the one before, and hangs after
 * VIDEO_DEVICE_HANGS pictures of a life, if that is set: then no picture comes any more.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 64, HEIGHT = 48, BYTES = WIDTH * HEIGHT * 2, BUFFERS = 4, SLOT = 8192, PERIOD_MS = 50 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* a buffer is given back by the thread that lets go of it */
static int device = -1, queue[BUFFERS], queued, pictures, is_blocking;
static unsigned char *memory;
static long long due_ms;

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int start(int flags) {
    int made = memfd_create("video", 0);
    if (made < 0 || ftruncate(made, BUFFERS * SLOT)) return -1;
    pthread_mutex_lock(&lock);
    memory = mmap(NULL, BUFFERS * SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
    queued = pictures = 0;
    is_blocking = !(flags & O_NONBLOCK);
    device = made;
    pthread_mutex_unlock(&lock);
    return made;
}

int open(const char *path, int flags, ...) {
    if (!strcmp(path, "/dev/video97")) return start(flags);
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open"))(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    if (!strcmp(path, "/dev/video97")) return start(flags);
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64"))(path, flags, mode);
}

static int refused(int error) {
    errno = error;
    return -1;
}

static int dequeue(struct v4l2_buffer *buffer) {
    const char *hangs = getenv("VIDEO_DEVICE_HANGS");
    if (!queued || now_ms() < due_ms || (hangs && pictures >= atoi(hangs))) return refused(EAGAIN);
    int index = queue[0];
    memmove(queue, queue + 1, --queued * sizeof *queue);
    for (int at = 0; at < BYTES; at += 2) {
        memory[index * SLOT + at] = (unsigned char)(16 + 20 * (pictures % 10));
        memory[index * SLOT + at + 1] = 128;
    }
    pictures++;
    due_ms = now_ms() + PERIOD_MS;
    buffer->index = index;
    buffer->bytesused = buffer->length = BYTES;
    buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    buffer->timestamp.tv_sec = now_ms() / 1000;
    buffer->timestamp.tv_usec = now_ms() % 1000 * 1000;
    return 0;
}

static int enqueue(const struct v4l2_buffer *buffer) {
    if (queued == BUFFERS || buffer->index >= BUFFERS) return refused(EINVAL);
    queue[queued++] = (int)buffer->index;
    return 0;
}

static int answer(unsigned long request, void *argument) {
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *capability = argument;
        memset(capability, 0, sizeof *capability);
        capability->capabilities = capability->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
    }
    case VIDIOC_G_INPUT:
        *(int *)argument = 0;
        return 0;
    case VIDIOC_S_INPUT:
    case VIDIOC_STREAMON:
    case VIDIOC_STREAMOFF:
        return 0;
    case VIDIOC_ENUMINPUT: {
        struct v4l2_input *input = argument;
        if (input->index) return refused(EINVAL);
        input->type = V4L2_INPUT_TYPE_CAMERA;
        input->std = 0;
        return 0;
    }
    case VIDIOC_G_FMT:
    case VIDIOC_S_FMT: {
        struct v4l2_pix_format *format = &((struct v4l2_format *)argument)->fmt.pix;
        format->width = WIDTH;
        format->height = HEIGHT;
        format->pixelformat = V4L2_PIX_FMT_YUYV;
        format->field = V4L2_FIELD_NONE;
        format->bytesperline = WIDTH * 2;
        format->sizeimage = BYTES;
        return 0;
    }
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_captureparm *capture = &((struct v4l2_streamparm *)argument)->parm.capture;
        capture->capability = V4L2_CAP_TIMEPERFRAME;
        capture->timeperframe.numerator = 1;
        capture->timeperframe.denominator = 1000 / PERIOD_MS;
        return 0;
    }
    case VIDIOC_REQBUFS:
        ((struct v4l2_requestbuffers *)argument)->count = BUFFERS;
        return 0;
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *buffer = argument;
        buffer->length = BYTES;
        buffer->m.offset = buffer->index * SLOT;
        return 0;
    }
    case VIDIOC_QBUF:
        return enqueue(argument);
    case VIDIOC_DQBUF:
        return dequeue(argument);
    default:
        return refused(ENOTTY);
    }
}

int ioctl(int descriptor, unsigned long request, ...) {
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    for (;;) {
        pthread_mutex_lock(&lock);
        int is_ours = descriptor == device && device >= 0, blocks = is_blocking;
        int said = is_ours ? answer(request & 0xffffffffUL, argument) : 0;
        pthread_mutex_unlock(&lock);
        if (!is_ours) break;
        if (!said || errno != EAGAIN || !blocks) return said;
        usleep(1000);
    }
    return ((int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl"))(descriptor, request, argument);
}
