/* SPDX-License-Identifier: MIT */
/* The library as one table, in the order of pool/api.h. */
#include <stddef.h>
#include <stdint.h>

#include <pool/api.h>
#include <pool/step.h>

#include "base/error.h"

static const pool_api_t api = {
    .size = sizeof api,
    .create = pool_create,
    .ref = pool_ref,
    .free = pool_free,
    .close = pool_close,
    .maintain = pool_maintain,
    .flush = pool_flush,
    .pause = pool_pause,
    .resume = pool_resume,
    .evict = pool_evict,
    .resize = pool_resize,
    .tag = pool_tag,
    .leases = pool_leases,
    .event_fd = pool_event_fd,
    .get = pool_get,
    .get_for = pool_get_for,
    .put = pool_put,
    .mark_unusable = pool_mark_unusable,
    .mark_broken = pool_mark_broken,
    .conn = pool_conn,
    .get_async = pool_get_async,
    .cancel = pool_cancel,
    .call = pool_call,
    .go = pool_go,
    .call_done = pool_call_done,
    .call_deadline = pool_call_deadline,
    .bytes_new = pool_bytes_new,
    .bytes_free = pool_bytes_free,
    .len = pool_len,
    .stats = pool_stats,
    .report = pool_report,
    .socket_idle = pool_socket_idle,
    .failure = pool_failure,
    .strerror = pool_strerror,
    .version = pool_version,
    .supports = pool_supports,
    .config_init = pool_config_init,
    .vtable_init = pool_vtable_init,
    .error_init = pool_error_init,
    .stats_init = pool_stats_init,
    .lease_info_init = pool_lease_info_init,
    .driver_prepare = pool_driver_prepare,
    .create_driver = pool_create_driver,
    .step_create = pool_step_create,
    .step_begin = pool_step_begin,
    .step_cancel = pool_step_cancel,
    .step_end = pool_step_end,
    .step_done = pool_step_done,
    .step_next = pool_step_next,
    .step_init = pool_step_init,
    .config_set = pool_config_set,
    .config_set_number = pool_config_set_number,
    .config_get = pool_config_get,
    .config_get_number = pool_config_get_number,
    .config_check = pool_config_check,
    .setting = pool_setting,
    .setting_init = pool_setting_init,
    .step_event = pool_step_event,
    .step_event_init = pool_step_event_init,
    .open = pool_open,
    .open_with = pool_open_with,
    .url_prepare = pool_url_prepare,
    .drivers = pool_drivers,
    .expose = pool_expose,
    .phase = pool_phase,
    .phase_listen = pool_phase_listen,
    .step_idle = pool_step_idle,
    .step_open = pool_step_open,
    .step_end_unused = pool_step_end_unused,
    .step_view = pool_step_view,
    .step_taken = pool_step_taken,
    .step_given = pool_step_given,
    .step_pass = pool_step_pass,
    .step_join = pool_step_join,
};

const pool_api_t *pool_get_api(uint32_t version)
{
  if (version == POOL_API_VERSION)
    return &api;
  error_set(NULL, POOL_E_UNSUPPORTED, 0, "there is no table of functions of version %u; this library has version %u",
            version, POOL_API_VERSION);
  return NULL;
}
