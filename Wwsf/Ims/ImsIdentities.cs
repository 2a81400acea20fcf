using Microsoft.AspNetCore.Identity;
using WebRtcIms.Wwsf.Session;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>Who a session is in the IMS: a user has the identity of his subscription (scenario 2), a guest one of the pool (scenario 3).</summary>
internal sealed class ImsIdentities(UserManager<User> users, IdentityPool pool, Registrations registrations)
{
    /// <summary>The session's identity, or why there is none. A guest keeps it for <paramref name="duration"/> at least.</summary>
    public async Task<(ImsIdentity? Identity, Problem? Problem)> AssignAsync(WebSession session, string? caller, TimeSpan duration = default)
    {
        if (session.User is null) return await pool.LeaseAsync(session.Sid, caller, duration);
        return await OfUserAsync(session.User) is { } identity ? (identity, null) : (null, Problem.NoSubscription);
    }

    /// <summary>The public user identity that the session has already, if any, and whether it is registered now.</summary>
    public async Task<(string? Impu, bool Registered)> FindAsync(WebSession session, CancellationToken cancellationToken)
    {
        var identity = session.User is { } user ? await OfUserAsync(user) : await pool.FindAsync(session.Sid);
        return (identity?.Impu, identity is not null && await registrations.IsActiveAsync(session.Sid, cancellationToken));
    }

    /// <summary>
    /// The session has ended: so do its registrations, and a guest's identity goes back to the pool. If the eP-CSCF does not say
    /// that they have ended, calls for the identity may still reach the old page, so the lease has to end by itself.
    /// </summary>
    public async Task ReleaseAsync(WebSession session, string? caller)
    {
        if (await registrations.EndAsync(session.Sid) && session.User is null) await pool.ReleaseAsync(session.Sid, caller);
    }

    private async Task<ImsIdentity?> OfUserAsync(string name) =>
        await users.FindByNameAsync(name) is { } user ? Subscription.Of(await users.GetClaimsAsync(user)) : null;
}
