/* A peer that answers at minimal cost: an XDP program turns each SYN into its SYN-ACK, each FIN into its
 * FIN-ACK, and drops other IPv4 packets. There is no listener and no socket: every address and TCP port is open, except port 9
 * (discard), which does not answer. ARP and IPv6 are passed to the kernel.
 *
 * `responder INTERFACE`         attaches it to one end of a veth pair, prints `ready`, serves until standard input is closed
 * `responder --pass INTERFACE`  the same at the other end with a program that lets everything pass: a veth takes the
 *                               frames that its peer's program sends only while it has a program itself
 *
 * The program is written in BPF instructions (Documentation/bpf/standardization/instruction-set.rst of Linux),
 * so that a C compiler suffices. It accepts SYNs and FINs of the default length of Linux: 40 and 32
 * bytes of TCP header, with timestamps. Sequence numbers start at 0; swapped addresses and ports leave sums as they are.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INSN(op, d, s, o, i) ((struct bpf_insn){.code = (op), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOV(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ALU(op, d, s) INSN(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define ALU_K(op, d, i) INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define ALU32_K(op, d, i) INSN(BPF_ALU | (op) | BPF_K, d, 0, 0, i)
#define LOAD(size, d, s, o) INSN(BPF_LDX | BPF_MEM | (size), d, s, o, 0)
#define STORE(size, d, o, s) INSN(BPF_STX | BPF_MEM | (size), d, s, o, 0)
#define TO_NETWORK(d, bits) INSN(BPF_ALU | BPF_END | BPF_TO_BE, d, 0, 0, bits)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* Jumps name a label; link_jumps() writes the distance. */
#define JUMP(label) INSN(BPF_JMP | BPF_JA, 0, 0, label, 0)
#define IF(op, d, s, label) INSN(BPF_JMP | (op) | BPF_X, d, s, label, 0)
#define IF_K(op, d, i, label) INSN(BPF_JMP | (op) | BPF_K, d, 0, label, i)
#define LABEL(label) INSN(0, 0, 0, label, 0)

enum { R0, R1, R2, R3, R4, R5, DATA, END, LENGTH, FP = 10 };
enum { PASS = 1, DROP, FIN, ANSWER, LABELS };
/* Where the fields are in an Ethernet frame with an IPv4 header of 20 bytes. */
enum { TO_MAC = 0, FROM_MAC = 6, TYPE = 12, VERSION = 14, PROTOCOL = 23, FROM = 26, TO = 30, TCP = 34 };
enum { FROM_PORT = TCP, TO_PORT = TCP + 2, SEQ = TCP + 4, ACK = TCP + 8, FLAGS = TCP + 13, SUM = TCP + 16 };
enum { FLAG_FIN = 1, FLAG_SYN = 2, FLAG_RST = 4, FLAG_ACK = 16 };
enum { SYN_LENGTH = 40, FIN_LENGTH = 32, PROTOCOL_TCP = 6, DISCARD = 9 };

#define NETWORK16(n) ((((n) & 0xff) << 8) | ((n) >> 8))
#define SWAP(size, a, b) LOAD(size, R2, DATA, a), LOAD(size, R3, DATA, b), STORE(size, DATA, a, R3), STORE(size, DATA, b, R2)
#define HAS(bytes, otherwise) MOV(R2, DATA), ALU_K(BPF_ADD, R2, bytes), IF(BPF_JGT, R2, END, otherwise)
#define FOLD MOV(R2, R0), ALU_K(BPF_RSH, R2, 16), ALU_K(BPF_AND, R0, 0xffff), ALU(BPF_ADD, R0, R2)

static struct bpf_insn program[] = {
    LOAD(BPF_W, DATA, R1, 0),
    LOAD(BPF_W, END, R1, 4),
    HAS(TCP + 20, PASS),
    LOAD(BPF_H, R2, DATA, TYPE),
    IF_K(BPF_JNE, R2, NETWORK16(0x0800), PASS),
    LOAD(BPF_B, R2, DATA, VERSION),
    IF_K(BPF_JNE, R2, 0x45, DROP),
    LOAD(BPF_B, R2, DATA, PROTOCOL),
    IF_K(BPF_JNE, R2, PROTOCOL_TCP, DROP),
    LOAD(BPF_H, R2, DATA, TO_PORT),
    IF_K(BPF_JEQ, R2, NETWORK16(DISCARD), DROP),
    LOAD(BPF_B, R2, DATA, FLAGS),
    IF_K(BPF_JSET, R2, FLAG_RST, DROP),
    IF_K(BPF_JSET, R2, FLAG_FIN, FIN),
    IF_K(BPF_JEQ, R2, FLAG_ACK, DROP),
    SET(LENGTH, SYN_LENGTH),
    HAS(TCP + SYN_LENGTH, DROP),
    JUMP(ANSWER),
    LABEL(FIN),
    SET(LENGTH, FIN_LENGTH),
    HAS(TCP + FIN_LENGTH, DROP),
    LABEL(ANSWER),
    SWAP(BPF_W, TO_MAC, FROM_MAC),
    SWAP(BPF_H, TO_MAC + 4, FROM_MAC + 4),
    SWAP(BPF_W, FROM, TO),
    SWAP(BPF_H, FROM_PORT, TO_PORT),
    LOAD(BPF_B, R2, DATA, FLAGS),
    ALU_K(BPF_OR, R2, FLAG_ACK),
    STORE(BPF_B, DATA, FLAGS, R2),
    LOAD(BPF_W, R2, DATA, SEQ),
    LOAD(BPF_W, R3, DATA, ACK),
    STORE(BPF_W, DATA, SEQ, R3),
    TO_NETWORK(R2, 32),
    ALU32_K(BPF_ADD, R2, 1),
    TO_NETWORK(R2, 32),
    STORE(BPF_W, DATA, ACK, R2),
    SET(R2, 0),
    STORE(BPF_H, DATA, SUM, R2),
    /* The pseudo header (RFC 9293, 3.1): both addresses, protocol and length; then the segment. */
    MOV(R5, LENGTH),
    ALU_K(BPF_OR, R5, PROTOCOL_TCP << 16),
    TO_NETWORK(R5, 32),
    SET(R1, 0),
    SET(R2, 0),
    MOV(R3, DATA),
    ALU_K(BPF_ADD, R3, FROM),
    SET(R4, 8),
    CALL(BPF_FUNC_csum_diff),
    MOV(R5, R0),
    SET(R1, 0),
    SET(R2, 0),
    MOV(R3, DATA),
    ALU_K(BPF_ADD, R3, TCP),
    MOV(R4, LENGTH),
    CALL(BPF_FUNC_csum_diff),
    ALU32_K(BPF_ADD, R0, 0),
    FOLD,
    FOLD,
    ALU_K(BPF_XOR, R0, 0xffff),
    STORE(BPF_H, DATA, SUM, R0),
    SET(R0, XDP_TX),
    EXIT,
    LABEL(PASS),
    SET(R0, XDP_PASS),
    EXIT,
    LABEL(DROP),
    SET(R0, XDP_DROP),
    EXIT,
};

static struct bpf_insn pass[] = {SET(R0, XDP_PASS), EXIT};

/* Takes the labels out and turns each jump's label into its distance; returns how many instructions are left. */
static unsigned link_jumps(void)
{
    unsigned all = sizeof program / sizeof *program, kept = 0, at[LABELS] = {0};

    for (unsigned i = 0; i < all; i++) {
        if (program[i].code == 0)
            at[program[i].off] = kept;
        else
            program[kept++] = program[i];
    }
    for (unsigned i = 0; i < kept; i++) {
        unsigned op = BPF_OP(program[i].code);
        if (BPF_CLASS(program[i].code) == BPF_JMP && op != BPF_CALL && op != BPF_EXIT)
            program[i].off = (short)(at[program[i].off] - i - 1);
    }
    return kept;
}

static int bpf(int command, union bpf_attr *attributes)
{
    return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

static int load(struct bpf_insn *first, unsigned count)
{
    static char log[1 << 16];
    union bpf_attr attributes = {
        .prog_type = BPF_PROG_TYPE_XDP,
        .insn_cnt = count,
        .insns = (__u64)(unsigned long)first,
        .license = (__u64)(unsigned long)"Dual MIT/GPL",
        .log_buf = (__u64)(unsigned long)log,
        .log_size = sizeof log,
        .log_level = 1,
    };
    int fd = bpf(BPF_PROG_LOAD, &attributes);
    if (fd < 0)
        fprintf(stderr, "responder: the kernel does not take the XDP program: %s\n%s", strerror(errno), log);
    return fd;
}

int main(int argc, char **argv)
{
    int passes = argc == 3 && strcmp(argv[1], "--pass") == 0;
    unsigned interface = argc == 2 + passes ? if_nametoindex(argv[1 + passes]) : 0;
    if (interface == 0) {
        fprintf(stderr, "responder: usage: responder [--pass] INTERFACE\n");
        return 2;
    }
    int loaded = passes ? load(pass, sizeof pass / sizeof *pass) : load(program, link_jumps());
    if (loaded < 0)
        return 2;
    /* A link of this kind is gone when its descriptor is closed, however this process ends. */
    union bpf_attr link = {.link_create = {
        .prog_fd = (__u32)loaded,
        .target_ifindex = interface,
        .attach_type = BPF_XDP,
        .flags = XDP_FLAGS_DRV_MODE,
    }};
    if (bpf(BPF_LINK_CREATE, &link) < 0) {
        fprintf(stderr, "responder: %s takes no XDP program: %s\n", argv[1 + passes], strerror(errno));
        return 2;
    }
    printf("ready\n");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}
