/* Eight schools, not centred, behind the C interface of BridgeStan 2, as a test speaks to it.
 *
 *   mu ~ N(0, 5), tau ~ half-N(0, 5), theta_trans_j ~ N(0, 1), theta_j = mu + tau theta_trans_j, y_j ~ N(theta_j, sigma_j)
 *
 * Coordinates: mu, ln tau, theta_trans. Data: {"J": 8, "y": [...], "sigma": [...]}.
 *
 * What the test defines: MAJOR, the version it claims; THREADS, "true" or "false"; REJECT, parameters are rejected if mu > 4;
 * FAULT, an index is out of range if mu > 4; WRONG, the gradient of mu has the wrong sign; SHORT, one name too few.
 */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef MAJOR
#define MAJOR 2
#endif
#ifndef THREADS
#define THREADS "true"
#endif

#define J 8

const int bs_major_version = MAJOR;
const int bs_minor_version = 7;
const int bs_patch_version = 0;

typedef struct {
    double y[J], sigma[J];
} model;

static char *said(const char *words) {
    char *copy = malloc(strlen(words) + 1);
    return copy ? strcpy(copy, words) : NULL;
}

static int list(const char *data, const char *key, double *into) {
    const char *at = strstr(data, key);
    at = at ? strchr(at, '[') : NULL;
    if (!at) return 0;
    int count = 0;
    while (count < J) {
        char *end;
        into[count] = strtod(at + 1, &end);
        if (end == at + 1) break;
        count++;
        at = end;
        if (*at != ',') break;
    }
    return count;
}

void *bs_model_construct(const char *data, unsigned seed, char **error) {
    (void)seed;
    model *made = malloc(sizeof *made);
    if (!data || !strstr(data, "\"J\"")) {
        *error = said("Exception: variable does not exist;\n processing stage=data initialization; variable name=J");
        free(made);
        return NULL;
    }
    if (list(data, "\"y\"", made->y) != J || list(data, "\"sigma\"", made->sigma) != J) {
        *error = said("Exception: mismatch in dimension declared and found in context; variable name=y");
        free(made);
        return NULL;
    }
    return made;
}

void bs_model_destruct(void *made) { free(made); }
void bs_free_error_msg(char *words) { free(words); }
const char *bs_name(const void *made) { (void)made; return "eight_schools_model"; }
const char *bs_model_info(const void *made) { (void)made; return "Stan defines: STAN_THREADS=" THREADS; }

#define TRANS "theta_trans.1,theta_trans.2,theta_trans.3,theta_trans.4,theta_trans.5,theta_trans.6,theta_trans.7"
#ifdef SHORT
#define UNBOUNDED "mu,tau," TRANS
#else
#define UNBOUNDED "mu,tau," TRANS ",theta_trans.8"
#endif

const char *bs_param_unc_names(const void *made) { (void)made; return UNBOUNDED; }
const char *bs_param_names(const void *made, bool transformed, bool generated) {
    (void)made, (void)generated;
    return transformed
               ? "mu,tau," TRANS ",theta_trans.8,theta.1,theta.2,theta.3,theta.4,theta.5,theta.6,theta.7,theta.8"
               : "mu,tau," TRANS ",theta_trans.8";
}
int bs_param_unc_num(const void *made) { (void)made; return 2 + J; }
int bs_param_num(const void *made, bool transformed, bool generated) {
    (void)made, (void)generated;
    return transformed ? 2 + 2 * J : 2 + J;
}

int bs_param_constrain(const void *made, bool transformed, bool generated, const double *x, double *out, void *rng,
                       char **error) {
    (void)made, (void)generated, (void)rng, (void)error;
    memcpy(out, x, (2 + J) * sizeof *x);
    out[1] = exp(x[1]);
    for (int j = 0; transformed && j < J; j++) out[2 + J + j] = x[0] + out[1] * x[2 + j];
    return 0;
}

/* ln N(x; 0, s), and its derivative in x added to *slope. */
static double normal(double x, double s, double *slope) {
    *slope -= x / (s * s);
    return -0.5 * x * x / (s * s) - log(s) - 0.5 * log(2 * M_PI);
}

int bs_log_density_gradient(const void *made, bool propto, bool jacobian, const double *x, double *value,
                            double *gradient, char **error) {
    const model *m = made;
    double tau = exp(x[1]), by_tau = 0;
    if (propto || !jacobian) {
        *error = said("a test expects all constants and the Jacobian");
        return -1;
    }
#ifdef REJECT
    if (x[0] > 4) {
        *error = said("Exception: mu is too large (in 'eight_schools.stan', line 9)");
        gradient[0] = NAN;
        return -1;
    }
#endif
#ifdef FAULT
    if (x[0] > 4) {
        *error = said("Exception: accessing element out of range. index 9 out of range; expecting index 1 to 8");
        return -1;
    }
#endif
    for (int k = 0; k < 2 + J; k++) gradient[k] = 0;
    *value = normal(x[0], 5, &gradient[0]) + normal(tau, 5, &by_tau) + log(2) + x[1];
    for (int j = 0; j < J; j++) {
        double pull = 0;
        *value += normal(x[2 + j], 1, &gradient[2 + j]);
        *value += normal(x[0] + tau * x[2 + j] - m->y[j], m->sigma[j], &pull);
        gradient[0] += pull;
        gradient[2 + j] += tau * pull;
        by_tau += x[2 + j] * pull;
    }
    gradient[1] = by_tau * tau + 1;
#ifdef WRONG
    gradient[0] = -gradient[0] - 1;
#endif
    return 0;
}

int bs_log_density(const void *made, bool propto, bool jacobian, const double *x, double *value, char **error) {
    double gradient[2 + J];
    return bs_log_density_gradient(made, propto, jacobian, x, value, gradient, error);
}

typedef void (*printer)(const char *, size_t);
static printer print = NULL;

int bs_set_print_callback(printer callback, char **error) {
    (void)error;
    print = callback;
    return 0;
}
