int pool_driver_jsonrpc(void);
int pool_driver_jsonrpc(void) { return -1; }
