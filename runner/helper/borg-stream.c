/* borg-stream SOCKET COMMAND [ARGUMENT...]
 *
 * The first process of a container beside the runner's, in an image that knows nothing of borg and need not have a
 * shell. It calls at the runner's socket, and then runs COMMAND once for each letter that the runner sends: with the
 * descriptors of that letter as standard input, output and error output. The answer is a line that says how the
 * command ended. All else, patience, words and secrets, is the runner's.
 *
 *   runner -> "g" with three descriptors   go
 *   runner -> "s"                          stop: TERM for what is left of the command's group, KILL after ten seconds
 *   -> "exited 0\n", "killed 9\n"          it has ended; others of its group may be at work, and are left to it
 *   -> "gone\n"                            and nothing of its group is left, but what no KILL ends within ten seconds
 *   the runner hangs up                    stop, then end as well: no pod is kept by this container
 *
 * Exit codes: 0 when the runner has hung up; 1 when it never answered, or ended before it was called; 2 for wrong usage.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DESCRIPTORS = 3, CALL_SECONDS = 600, CALL_EVERY_MS = 100, PATIENCE_SECONDS = 10, LOOK_EVERY_MS = 200, NOT_RUN = 127 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The first process of a container is killed by no signal that it has no handler for. */
static void leave(int signal_number)
{
    (void)signal_number;
    _exit(1);
}

/* Return a socket on which the runner listens, which may start later than this; -1 when it never does. */
static int call(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    strcpy(address.sun_path, path);
    for (double deadline = now() + CALL_SECONDS; now() < deadline; usleep(CALL_EVERY_MS * 1000)) {
        int line = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (line < 0)
            return -1;
        if (connect(line, (struct sockaddr *)&address, sizeof address) == 0)
            return line;
        close(line);
    }
    return -1;
}

/* Return the runner's next letter, 0 when it has hung up. The descriptors that came with it are in `given`, else -1. */
static char hear(int line, int given[DESCRIPTORS])
{
    char letter = 0;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int) * DESCRIPTORS)];
    } control;
    struct iovec bytes = {.iov_base = &letter, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    given[0] = given[1] = given[2] = -1;
    ssize_t got;
    do
        got = recvmsg(line, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int) * DESCRIPTORS))
        memcpy(given, CMSG_DATA(header), sizeof(int) * DESCRIPTORS);
    return letter;
}

/* Start the command in a group of its own and return its pid, -1 when there can be no process. */
static pid_t start(char **command, const int given[DESCRIPTORS])
{
    pid_t pid = fork();
    if (pid != 0) {
        if (pid > 0)
            setpgid(pid, pid);
        return pid;
    }
    setpgid(0, 0);
    for (int number = 0; number < DESCRIPTORS; number++)
        if (dup2(given[number], number) < 0)
            _exit(NOT_RUN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    execvp(command[0], command);
    dprintf(STDERR_FILENO, "%s: %s\n", command[0], strerror(errno));
    _exit(NOT_RUN);
}

static void tell_end(int line, int status)
{
    if (WIFSIGNALED(status))
        dprintf(line, "killed %d\n", WTERMSIG(status));
    else
        dprintf(line, "exited %d\n", WEXITSTATUS(status));
}

/* Wait for the command and all of its group, stopping them when the runner says so: who writes for a command that has
 * ended is not cut short. Return whether the runner still listens. */
static int attend(int line, int children, pid_t pid)
{
    int listens = 1, given[DESCRIPTORS], ended = 0;
    double kill_at = 0;
    while (!ended || kill(-pid, 0) == 0 || errno != ESRCH) {
        struct pollfd events[2] = {{.fd = children, .events = POLLIN}, {.fd = listens ? line : -1, .events = POLLIN}};
        poll(events, 2, ended || kill_at ? LOOK_EVERY_MS : -1);
        if (events[1].revents) {
            listens = hear(line, given) != 0;
            kill(-pid, SIGTERM);
            kill_at = kill_at ? kill_at : now() + PATIENCE_SECONDS;
        }
        if (kill_at && now() > kill_at)
            kill(-pid, SIGKILL);
        if (ended && kill_at && now() > kill_at + PATIENCE_SECONDS)
            break; /* it waits for a device that does not answer */
        if (events[0].revents) {
            struct signalfd_siginfo unused;
            if (read(children, &unused, sizeof unused) < 0 && errno != EINTR)
                return 0;
        }
        int how;
        for (pid_t found; (found = waitpid(-1, &how, WNOHANG)) > 0;) /* its orphans come here too */
            if (found == pid) {
                ended = 1;
                tell_end(line, how);
            }
    }
    dprintf(line, "gone\n");
    return listens;
}

int main(int count, char **words)
{
    if (count < 3) {
        fprintf(stderr, "usage: borg-stream SOCKET COMMAND [ARGUMENT...]\n");
        return 2;
    }
    signal(SIGTERM, leave);
    int line = call(words[1]);
    if (line < 0) {
        fprintf(stderr, "borg-stream: nobody listens at %s\n", words[1]);
        return 1;
    }
    signal(SIGTERM, SIG_IGN); /* the runner, which gets it too, decides what becomes of the command */
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* as is the first process of a container, where that has processes of its own */
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int children = signalfd(-1, &child, SFD_CLOEXEC);
    int given[DESCRIPTORS];
    for (char letter; (letter = hear(line, given)) != 0;) {
        if (letter != 'g' || given[0] < 0)
            continue; /* a stop that came when the command had ended by itself */
        pid_t pid = start(words + 2, given);
        for (int number = 0; number < DESCRIPTORS; number++)
            close(given[number]);
        if (pid < 0)
            dprintf(line, "exited %d\ngone\n", NOT_RUN);
        else if (!attend(line, children, pid))
            break;
    }
    return 0;
}
