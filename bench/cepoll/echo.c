/* An echo server as one writes it in C: one thread, level-triggered epoll, a read
 * and a write for each event. It is what netring's echo is compared with.
 *
 * It prints its port and exits when its standard input ends. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, BUFFER = 64 << 10, DESCRIPTORS = 4096 };

/* What could not be written yet, by descriptor. */
struct rest {
	char *data;
	size_t len;
};

static struct rest rests[DESCRIPTORS];
static char buffer[BUFFER];
static int epfd;

static void check(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void watch(int fd, int op, unsigned events)
{
	struct epoll_event ev = {.events = events, .data.fd = fd};
	check(epoll_ctl(epfd, op, fd, &ev) == 0, "epoll_ctl");
}

static void hang_up(int fd)
{
	free(rests[fd].data);
	rests[fd] = (struct rest){0};
	close(fd);
}

static void accept_one(int ln)
{
	int one = 1;
	int fd = accept4(ln, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return; /* it has gone, or there will be another event */
	if (fd >= DESCRIPTORS) {
		close(fd);
		return;
	}
	check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "setsockopt");
	watch(fd, EPOLL_CTL_ADD, EPOLLIN);
}

/* Writes p and keeps what the socket does not take, reading no more until it has. */
static void send_back(int fd, const char *p, size_t len)
{
	ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		hang_up(fd);
		return;
	}
	if (n < 0)
		n = 0;
	if ((size_t)n == len)
		return;
	rests[fd].len = len - n;
	rests[fd].data = malloc(rests[fd].len);
	check(rests[fd].data != NULL, "malloc");
	memcpy(rests[fd].data, p + n, rests[fd].len);
	watch(fd, EPOLL_CTL_MOD, EPOLLOUT);
}

static void writable(int fd)
{
	struct rest r = rests[fd];
	rests[fd] = (struct rest){0};
	watch(fd, EPOLL_CTL_MOD, EPOLLIN);
	send_back(fd, r.data, r.len);
	free(r.data);
}

static void readable(int fd)
{
	ssize_t n = read(fd, buffer, sizeof buffer);
	if (n > 0)
		send_back(fd, buffer, n);
	else if (n == 0 || errno != EAGAIN)
		hang_up(fd);
}

int main(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof addr;
	struct epoll_event events[EVENTS];
	int ln = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	check(ln >= 0, "socket");
	check(bind(ln, (struct sockaddr *)&addr, len) == 0, "bind");
	check(listen(ln, 4096) == 0, "listen");
	check(getsockname(ln, (struct sockaddr *)&addr, &len) == 0, "getsockname");
	check((epfd = epoll_create1(EPOLL_CLOEXEC)) >= 0, "epoll_create1");
	watch(ln, EPOLL_CTL_ADD, EPOLLIN);
	watch(STDIN_FILENO, EPOLL_CTL_ADD, EPOLLIN);
	printf("%d\n", ntohs(addr.sin_port));
	check(fflush(stdout) == 0, "stdout");
	for (;;) {
		int n = epoll_wait(epfd, events, EVENTS, -1);
		check(n >= 0 || errno == EINTR, "epoll_wait");
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == STDIN_FILENO)
				return 0; /* nothing is ever sent on it */
			if (fd == ln)
				accept_one(ln);
			else if (events[i].events & EPOLLOUT)
				writable(fd);
			else
				readable(fd);
		}
	}
}
