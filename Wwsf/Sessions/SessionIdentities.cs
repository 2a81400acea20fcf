using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.Stores;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>The IMS identity of a session: the subscription of a user (scenario 2), or one of the pool for a guest (scenario 3).</summary>
internal sealed class SessionIdentities(
    UserManager<User> users, IdentityPool pool, Registrations registrations, SessionRevocations revocations, TimeProvider time)
{
    /// <summary>The public user identity that the session has already, if any, and whether it is registered now.</summary>
    public async Task<(string? Impu, bool Registered)> FindAsync(WebSession session, CancellationToken cancellationToken)
    {
        var identity = session.User is { } user ? await OfUserAsync(user) : await pool.FindAsync(session.Sid);
        return (identity?.Impu, identity is not null && await registrations.IsActiveAsync(session.Sid, cancellationToken));
    }

    /// <summary>
    /// Ends the registrations of an ended session, and returns a guest's identity to the pool. If the eP-CSCF does not confirm
    /// the end, calls for the identity may still reach the old page. Then the lease runs until it expires.
    /// </summary>
    /// <returns>Whether the eP-CSCF confirmed the end.</returns>
    public async Task<bool> ReleaseAsync(WebSession session)
    {
        var hasLease = session.User is null && await pool.FindAsync(session.Sid) is not null;
        // An identity that was registered needs the whole quarantine.
        if (hasLease && await registrations.IsActiveAsync(session.Sid, CancellationToken.None))
            await pool.SetRegisteredAsync(session.Sid, isRegistered: true);
        if (!await registrations.EndAsync(session.Sid, revocations.EndOfTokens(time.GetUtcNow()))) return false;
        if (hasLease) await pool.ReleaseAsync(session.Sid);
        return true;
    }

    /// <summary>The subscription of a user; null if there is none.</summary>
    public async Task<ImsIdentity?> OfUserAsync(string name) =>
        await users.FindByNameAsync(name) is { } user ? Subscription.Of(await users.GetClaimsAsync(user)) : null;
}
