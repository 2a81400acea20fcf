using Microsoft.EntityFrameworkCore;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Clients.Registration;

/// <summary>Writes each initial access token of the settings into the store once. A new token ends the one that had its name.</summary>
internal sealed class InitialAccessTokenProvisioning(
    IServiceScopeFactory scopes, IReadOnlyList<InitialAccessTokenSettings> tokens, TimeProvider time) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var token in tokens) await ProvisionAsync(token, cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public static InitialAccessToken ToRow(InitialAccessTokenSettings token, DateTimeOffset now) => new()
    {
        Hash = BearerToken.Hash(token.Token.Reveal()),
        Name = token.Name,
        UsesLeft = token.Uses,
        ExpiresAt = (now + token.Lifetime).ToUnixTimeSeconds(),
        CreatedAt = now.ToUnixTimeSeconds(),
        Limits = token.Limits.ToJson().GetRawText(),
    };

    private async Task ProvisionAsync(InitialAccessTokenSettings settings, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var store = scope.ServiceProvider.GetRequiredService<WafDatabase>();
        var hash = BearerToken.Hash(settings.Token.Reveal());
        // An operator ends a leaked token so. Its row stays, so that a replica with older settings does not write it again.
        await store.InitialAccessTokens.Where(token => token.Name == settings.Name && token.Hash != hash)
            .ExecuteUpdateAsync(token => token.SetProperty(replaced => replaced.UsesLeft, 0), cancellationToken);
        if (await IsStoredAsync()) return;
        store.Add(ToRow(settings, time.GetUtcNow()));
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
