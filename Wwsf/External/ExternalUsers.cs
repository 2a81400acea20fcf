using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;
using WebRtcIms.Wwsf.Telemetry;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.External;

/// <summary>
/// Accounts of users who log in at the OpenID Connect provider. An account is created at the first login and belongs to the
/// provider's <c>iss</c> and <c>sub</c> (OpenID Connect Core 1.0 §5.7), not to a name. A login never takes over the account or the
/// identity of another user.
/// </summary>
internal sealed partial class ExternalUsers(
    UserManager<User> users, WwsfStore store, WwsfSettings settings, AuditLog audit, TimeProvider time)
{
    private readonly OpenIdConnectSettings _provider = settings.OpenIdConnect!;
    private bool _isNew;
    private bool _hasNewSubscription;

    /// <summary>The user, or the code of the problem for the page.</summary>
    public async Task<(User? User, string? Problem)> FindOrAddAsync(ClaimsPrincipal principal)
    {
        // SQLite admits one writer at a time, so two concurrent logins cannot get the same identity.
        await using var transaction = await store.Database.BeginTransactionAsync();
        var (user, problem) = await FindOrAddCoreAsync(principal);
        if (user is null) return (null, problem);
        await transaction.CommitAsync();
        if (_isNew) audit.AccountAdded(user.Id);
        if (_hasNewSubscription) audit.SubscriptionChanged(user.Id);
        return (user, problem);
    }

    private async Task<(User? User, string? Problem)> FindOrAddCoreAsync(ClaimsPrincipal principal)
    {
        if (principal.FindFirst("sub") is not { Value: not "" } subject) return (null, ProblemCodes.ExternalFailed);
        var user = await users.FindByLoginAsync(subject.Issuer, subject.Value);
        if (user?.IsLocked(time.GetUtcNow()) is true) return (null, ProblemCodes.ExternalLocked);
        if (user is null)
        {
            if (principal.FindFirstValue(_provider.UserClaim) is not { } name || !Name().IsMatch(name))
                return (null, ProblemCodes.ExternalNameMissing);
            user = new User { UserName = name };
            if (!(await users.CreateAsync(user)).Succeeded) return (null, ProblemCodes.ExternalNameTaken);
            Check(await users.AddLoginAsync(user, new UserLoginInfo(subject.Issuer, subject.Value, _provider.DisplayName)));
            _isNew = true;
        }

        var problem = _provider.ImpuClaim is { Length: > 0 } claim ? await UpdateAsync(user, principal, claim) : null;
        return problem is null ? (user, null) : (null, problem);
    }

    // The provider decides the identity in the IMS. Without the claim the user has no subscription any more.
    private async Task<string?> UpdateAsync(User user, ClaimsPrincipal principal, string impuClaim)
    {
        ImsIdentity? identity = null;
        if (principal.FindFirstValue(impuClaim) is { Length: > 0 } given)
        {
            var impu = InHomeDomain(given.StartsWith("sip:", StringComparison.OrdinalIgnoreCase) ? given[4..] : given);
            var impi = principal.FindFirstValue(_provider.ImpiClaim) is { Length: > 0 } givenImpi ? InHomeDomain(givenImpi) : impu;
            if (impu is null || impi is null) return ProblemCodes.ExternalIdentityInvalid;
            identity = new ImsIdentity(impi, "sip:" + impu, principal.FindFirstValue(_provider.DisplayNameClaim) ?? "");
            if (IsOfPool(impu) || IsOfPool(impi) || await IsOfAnotherUserAsync(identity, user)) return ProblemCodes.ExternalIdentityTaken;
        }

        var current = await users.GetClaimsAsync(user);
        if (Subscription.Of(current) == identity) return null;
        Check(await users.RemoveClaimsAsync(user, current.Where(Subscription.IsPartOf)));
        if (identity is not null) Check(await users.AddClaimsAsync(user, identity.ToClaims()));
        _hasNewSubscription = true;
        return null;
    }

    private string? InHomeDomain(string text) => text.Split('@') switch
    {
        [var name] when Name().IsMatch(name) => Address(name),
        [var name, var domain] when Name().IsMatch(name) && IsHomeDomain(domain) => Address(name),
        _ => null,
    };

    private bool IsHomeDomain(string domain) => domain.Equals(settings.HomeDomain, StringComparison.OrdinalIgnoreCase);

    // In lower case, so that a capital letter does not make another identity.
    private string Address(string name) => $"{name.ToLowerInvariant()}@{settings.HomeDomain}";

    private bool IsOfPool(string address) => address.StartsWith(settings.Pool.Name + "-", StringComparison.OrdinalIgnoreCase);

    private async Task<bool> IsOfAnotherUserAsync(ImsIdentity identity, User user)
    {
        foreach (var claim in identity.ToClaims().Where(claim => claim.Type != Subscription.DisplayName))
        {
            if ((await users.GetUsersForClaimAsync(claim)).Any(owner => owner.Id != user.Id)) return true;
        }
        return false;
    }

    private static void Check(IdentityResult result)
    {
        if (!result.Succeeded) throw new InvalidOperationException($"An external user cannot be stored: {result}");
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
    private static partial Regex Name();
}
