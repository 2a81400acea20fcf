using Microsoft.AspNetCore.Http.HttpResults;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Hosting;

namespace WebRtcIms.Turn.Management;

/// <summary>
/// What this server found in the token of an allocation, for demonstrations in Development. Of the key it has only a fingerprint.
/// </summary>
internal sealed record OpenedToken(string Kid, string KeyPrint, int KeyOctets, DateTimeOffset IssuedAt, uint Lifetime, long Left)
{
    /// <summary>The token of the allocation with this relayed address, if it belongs to this user.</summary>
    public static Results<Ok<OpenedToken>, NotFound> Find(
        string relayed, string user, IReadOnlyList<EngineHost> hosts, TimeProvider time)
    {
        foreach (var (allocation, record) in hosts.SelectMany(host => host.Allocations()))
        {
            if (record is not { Token: { } token, Grant.Pseudonym: { } pseudonym }) continue;
            if (Admission.TokenCache.Hash(pseudonym) != user || !Relays(allocation).Contains(relayed)) continue;
            var credential = allocation.Credential;
            var end = credential.IssuedAt.AddSeconds(credential.LifetimeSeconds);
            return TypedResults.Ok(new OpenedToken(
                token.KeyId, credential.MacKeyFingerprint, credential.MacKeyLength, credential.IssuedAt, credential.LifetimeSeconds,
                Math.Max(0, (long)(end - time.GetUtcNow()).TotalSeconds)));
        }

        return TypedResults.NotFound();
    }

    private static IEnumerable<string> Relays(Allocation allocation) =>
        new[] { allocation.IPv4, allocation.IPv6 }.OfType<Relay>().Select(relay => relay.Advertised.ToString());
}
