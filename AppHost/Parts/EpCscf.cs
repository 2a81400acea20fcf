namespace WebRtcIms.AppHost;

/// <summary>What the WWSF has to know about the eP-CSCF.</summary>
/// <param name="SessionsKey">The key with which it asks about sessions and ends them.</param>
internal sealed record EpCscfAnnotation(ParameterResource SessionsKey) : IResourceAnnotation;

internal static class EpCscf
{
    /// <summary>
    /// Adds the eP-CSCF, with the parameters <c>epcscf-flow-token-key</c> and <c>epcscf-sessions-key</c>. It accepts
    /// registration tokens of <paramref name="waf"/>.
    /// </summary>
    public static IResourceBuilder<ProjectResource> AddEpCscf(this IDistributedApplicationBuilder builder, string name,
        IResourceBuilder<ProjectResource> waf)
    {
        var flowTokenKey = builder.AddParameter("epcscf-flow-token-key", new RandomKey(), secret: true, persist: true)
            .WithDescription("Authenticates the eP-CSCF's route tokens: 32 bytes in base64.");
        var sessionsKey = builder.AddParameter("epcscf-sessions-key", new RandomKey(), secret: true, persist: true)
            .WithDescription("Authenticates the WWSF at the eP-CSCF, for questions about sessions: 32 bytes in base64.");
        var epCscf = builder.AddService<Projects.EpCscf>(name)
            .WithEnvironment("EpCscf__HomeDomain", Ims.Domain)
            .WithEnvironment("EpCscf__Waf", waf.Get<WafAnnotation>().Identity)
            .WithEnvironment("EpCscf__FlowTokenKey", flowTokenKey)
            .WithAnnotation(new EpCscfAnnotation(sessionsKey.Resource))
            .WithEnvironment("EpCscf__SessionsKeys__0", sessionsKey)
            .WithIconName("CallConnecting");
        waf.WithRegistrationKeysFor(epCscf);
        return epCscf;
    }

    /// <summary>Lets the WWSF find the eP-CSCF, ask it about sessions and end them.</summary>
    public static IResourceBuilder<ProjectResource> WithSessionsAt(this IResourceBuilder<ProjectResource> wwsf,
        IResourceBuilder<ProjectResource> epCscf) => wwsf
            .WithReference(epCscf)
            .WithEnvironment("Wwsf__EpCscf__SessionsKey", epCscf.Get<EpCscfAnnotation>().SessionsKey);
}
