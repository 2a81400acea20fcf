using Microsoft.EntityFrameworkCore;
using WebRtcIms.Waf.Audit;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Clients.Registration;

/// <summary>
/// Writes each initial access token of the settings into the store once. A new token ends the one that had its name. A token that the
/// settings do not have any more is refused. If they get it back, it has the uses that were left.
/// </summary>
internal sealed class InitialAccessTokenProvisioning(
    IServiceScopeFactory scopes, IReadOnlyList<InitialAccessTokenSettings> tokens, AuditLog audit, TimeProvider time) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await EndRemovedAsync(cancellationToken);
        foreach (var token in tokens) await ProvisionAsync(token, cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public static InitialAccessToken ToRow(InitialAccessTokenSettings token, DateTimeOffset now, bool fromSettings) => new()
    {
        Hash = BearerToken.Hash(token.Token.Reveal()),
        Name = token.Name,
        UsesLeft = token.Uses,
        FromSettings = fromSettings,
        ExpiresAt = (now + token.Lifetime).ToUnixTimeSeconds(),
        CreatedAt = now.ToUnixTimeSeconds(),
        Limits = token.Limits.ToJson().GetRawText(),
    };

    private async Task EndRemovedAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var store = scope.ServiceProvider.GetRequiredService<WafDatabase>();
        var hashes = tokens.Select(token => BearerToken.Hash(token.Token.Reveal())).ToList();
        var removed = await store.InitialAccessTokens.AsNoTracking()
            .Where(row => row.FromSettings == true && row.UsesLeft > 0 && !hashes.Contains(row.Hash)).ToListAsync(cancellationToken);
        foreach (var token in removed)
        {
            var ended = await store.InitialAccessTokens.Where(row => row.Hash == token.Hash && row.UsesLeft > 0)
                .ExecuteUpdateAsync(row => row.SetProperty(ended => ended.UsesLeft, ended => -ended.UsesLeft), cancellationToken);
            if (ended > 0) audit.Add(AuditAction.Settings, AuditAction.InitialAccessTokenRevoked, token.Name, address: null);
        }
    }

    private async Task ProvisionAsync(InitialAccessTokenSettings settings, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var store = scope.ServiceProvider.GetRequiredService<WafDatabase>();
        var hash = BearerToken.Hash(settings.Token.Reveal());
        // An operator ends a leaked token so. Its row stays, so that a replica with older settings does not write it again.
        await store.InitialAccessTokens.Where(token => token.Name == settings.Name && token.Hash != hash)
            .ExecuteUpdateAsync(token => token.SetProperty(replaced => replaced.UsesLeft, 0), cancellationToken);
        await store.InitialAccessTokens.Where(token => token.Hash == hash)
            .ExecuteUpdateAsync(
                token => token.SetProperty(known => known.FromSettings, true)
                    .SetProperty(known => known.UsesLeft, known => known.UsesLeft < 0 ? -known.UsesLeft : known.UsesLeft),
                cancellationToken);
        if (await IsStoredAsync()) return;
        store.Add(ToRow(settings, time.GetUtcNow(), fromSettings: true));
        try
        {
            await store.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException)
        {
            // Another replica that starts at this time may have written it.
            if (!await IsStoredAsync()) throw;
        }

        Task<bool> IsStoredAsync() => store.InitialAccessTokens.AnyAsync(token => token.Hash == hash, cancellationToken);
    }
}
