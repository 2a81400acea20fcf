using Microsoft.EntityFrameworkCore;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Rings;

/// <summary>Changes rings in the store. Each change is one transaction with its audit entries.</summary>
internal sealed class KeyStore(IServiceScopeFactory scopes, KeyProtection protection, TimeProvider time)
{
    private const int Attempts = 5;

    /// <summary>Reads the rows of a ring, applies the change, and writes what it changed.</summary>
    /// <param name="ring">The ring.</param>
    /// <param name="actor">For the audit.</param>
    /// <param name="apply">The change. It is applied again to new rows when another replica changed the ring meanwhile.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    public async Task<(RingChange Change, T Result)> ChangeAsync<T>(
        RingSettings ring, string actor, Func<RingChange, T> apply, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            await using var scope = scopes.CreateAsyncScope();
            var store = scope.ServiceProvider.GetRequiredService<WafDatabase>();
            var rows = await store.Keys.Where(key => key.Ring == ring.Ring).OrderBy(key => key.Number).ToListAsync(cancellationToken);
            var change = new RingChange(store, ring, rows, protection, time.GetUtcNow().ToUnixTimeSeconds(), actor);
            var result = apply(change);
            try
            {
                await store.SaveChangesAsync(cancellationToken);
                return (change, result);
            }
            catch (DbUpdateException) when (attempt < Attempts)
            {
                // Another replica changed the ring.
            }
        }
    }

    /// <summary>The ring of a key; null for an unknown key.</summary>
    public async Task<string?> FindRingAsync(string kid, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<WafDatabase>().Keys
            .Where(key => key.Kid == kid).Select(key => key.Ring).SingleOrDefaultAsync(cancellationToken);
    }
}
