/* "Restart a service", as the Python one's developer page had it. Its services are one daemon here:
 * a plugin cannot be restarted alone, so each of the old names restarts the whole daemon. */
#include "forms/internal.h"

static const char *const known[] = {"all",
                                    "shepherd",
                                    "shepherd.service",
                                    "shepherd-pricer.service",
                                    "shepherds-dog.service",
                                    "shepherd-ingestor.service",
                                    "shepherd-summarizer.service",
                                    "shepherd-device-discovery.service",
                                    "shepherd-app.service"};

static void restart_now(struct ask *ask)
{
    struct forms *forms = ask->forms;
    const char *rest = http_request_rest(ask->request);
    ask_audit(ask, "restart", rest ? rest : "all", NULL, NULL);
    if (!rest || strcmp(rest, "all") == 0)
        ask_answer(ask, 0, "Successfully restarted all services.", NULL);
    else
        ask_answerf(ask, 0,
                    "Restarted %s. It is part of one daemon, which starts again as a whole.", rest);
    forms->conf.restart(forms->conf.arg);
}

static void restart(struct ask *ask)
{
    const char *rest = http_request_rest(ask->request);
    bool is_known = !rest;
    for (size_t i = 0; rest && i < ARRAY_LEN(known); i++)
        is_known = is_known || strcmp(rest, known[i]) == 0;
    if (!is_known)
        ask_answer(ask, SHEP_E_CONFIG, "Invalid service name.", NULL);
    else if (ask->grant.role >= ROLE_ADMIN)
        restart_now(ask);
    else
        ask_dear(ask, restart_now);
}

const struct form_route service_routes[] = {{.path = "/service/restart/*",
                                             .role = ROLE_OPERATOR,
                                             .fn = restart,
                                             .back = "/config#developer",
                                             .at_once = true},
                                            {0}};
