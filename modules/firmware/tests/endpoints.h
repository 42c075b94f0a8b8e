/* The endpoints of the fleet, in the order in which a device holds them. */
#ifndef COAP_ENDPOINTS_H
#define COAP_ENDPOINTS_H

#include <stdint.h>

#define COAP_PORT 5683
#define COAP_ENDPOINTS 4

static const uint8_t coap_endpoints[COAP_ENDPOINTS][4] = {
	{203, 0, 113, 1}, /* use1-a */
	{198, 51, 100, 1}, /* euw1-a */
	{203, 0, 113, 2}, /* use1-b */
	{198, 51, 100, 2}, /* euw1-b */
};

#endif
