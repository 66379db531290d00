/* Runs SpanDSP's DTMF receiver over audio from standard input, for comparison only.
 *
 * In, repeated: u32 flags (bit 0: filter the dial tone; bit 1: time only), u32 count, then count
 * 16-bit samples. Out for each: u32 number of digits, then the digits; with bit 1 set instead:
 * f64 CPU seconds taken for the samples as one channel in frames of 160. Native byte order.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <spandsp.h>

static char heard[65536];
static uint32_t count;

static void on_digits(void *user, const char *digits, int len)
{
    (void)user;
    for (int i = 0; i < len && count < sizeof(heard); i++)
        heard[count++] = digits[i];
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(void)
{
    uint32_t head[2];
    int16_t *samples = NULL;
    while (fread(head, sizeof(head), 1, stdin) == 1) {
        samples = realloc(samples, (head[1] + 1) * sizeof(int16_t));
        if (samples == NULL || fread(samples, sizeof(int16_t), head[1], stdin) != head[1])
            return 1;
        dtmf_rx_state_t *rx = dtmf_rx_init(NULL, on_digits, NULL);
        dtmf_rx_parms(rx, head[0] & 1, -1, -1, -99);
        count = 0;
        double before = cpu_seconds();
        for (uint32_t at = 0; at < head[1]; at += 160) {
            uint32_t left = head[1] - at;
            dtmf_rx(rx, samples + at, left < 160 ? left : 160);
        }
        double taken = cpu_seconds() - before;
        dtmf_rx_free(rx);
        if (head[0] & 2) {
            fwrite(&taken, sizeof(taken), 1, stdout);
        } else {
            fwrite(&count, sizeof(count), 1, stdout);
            fwrite(heard, 1, count, stdout);
        }
        fflush(stdout);
    }
    return 0;
}
