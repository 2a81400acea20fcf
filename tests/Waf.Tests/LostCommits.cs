using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Tests;

/// <summary>Loses the connection to PostgreSQL at commits: before them, or after them, when the answer is on its way.</summary>
internal sealed class LostCommits : DbTransactionInterceptor
{
    /// <summary>How many of the next commits have no effect.</summary>
    public int Before { get; set; }

    /// <summary>How many of the next commits have effect, and no answer.</summary>
    public int After { get; set; }

    public void AddTo(IServiceCollection services) =>
        services.ConfigureDbContext<WafDatabase>(options => options.AddInterceptors(this));

    public override ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        if (Before == 0) return new(result);
        Before--;
        throw Lost();
    }

    public override Task TransactionCommittedAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        if (After == 0) return Task.CompletedTask;
        After--;
        throw Lost();
    }

    private static NpgsqlException Lost() => new("The connection was lost.", new IOException());
}
