using Microsoft.EntityFrameworkCore;

namespace WebRtcIms.Waf.Clients;

/// <summary>OpenIddict's tables: the OAuth clients with hashes of their secrets.</summary>
internal sealed class ClientStore(DbContextOptions<ClientStore> options) : DbContext(options);
