using WebRtcIms.Contracts;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// The leases that the WWSF keeps in Redis. Only the eP-CSCF still knows them when Redis has lost its data. A guest in a call would
/// otherwise lose the identity to the next guest who gets it.
/// </summary>
internal sealed class GuestLeases(BindingRedis redis, TimeProvider time)
{
    /// <summary>Saves the lease of a registered guest again, unless the identity has one. False if Redis does not answer.</summary>
    public async Task<bool> RestoreAsync(FlowRegistration registration)
    {
        var lifetime = registration.Binding.ExpiresAt - time.GetUtcNow();
        if (registration.Subscriber.Leased is not { } identity || lifetime <= TimeSpan.Zero) return true;
        return await redis.TryAsync("SET", async database =>
        {
            await PoolLeases.RestoreAsync(database, identity.Pool, identity.Number, registration.Binding.SessionId, lifetime);
            return true;
        });
    }
}
