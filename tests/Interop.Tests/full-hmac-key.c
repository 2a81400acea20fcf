/*
 * Makes turnutils_uclient -J sign as RFC 7635 §7 says: coturn 4.6 keys its HMAC with the first 16 of the 20 octets of mac_key.
 * The octets behind them stand in the same buffer, so a length of 16 is made 20. Loaded by LD_PRELOAD, for runs with tokens
 * only: an MD5 key of a password really has 16 octets.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

typedef unsigned char *hmac_function(const void *hash, const void *key, int key_length, const unsigned char *data, size_t length,
                                     unsigned char *result, unsigned int *result_length);

unsigned char *HMAC(const void *hash, const void *key, int key_length, const unsigned char *data, size_t length,
                    unsigned char *result, unsigned int *result_length) {
  static hmac_function *original;
  if (!original) original = (hmac_function *)dlsym(RTLD_NEXT, "HMAC");
  return original(hash, key, key_length == 16 ? 20 : key_length, data, length, result, result_length);
}
