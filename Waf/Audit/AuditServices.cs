namespace WebRtcIms.Waf.Audit;

internal static class AuditServices
{
    /// <summary>Call it after the service that creates the store.</summary>
    public static void AddAudit(this IServiceCollection services, TimeSpan retention)
    {
        services.AddSingleton<AuditLog>();
        services.AddSingleton(new AuditRetentionSettings(retention));
        services.AddHostedService<AuditWriter>();
        services.AddHostedService<AuditRetention>();
    }
}
