using Microsoft.AspNetCore;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.OAuth;

/// <summary>Reads the parameters of a request, each of which must occur once (RFC 6749 §3.2).</summary>
internal static class RequestParameters
{
    /// <summary>The name of the client's secret in a GET (TS 33.203 X.5.3.2 step 4).</summary>
    public const string ClientPassword = "client_password";

    private const string Form = "application/x-www-form-urlencoded";

    /// <summary>Reads the form of a POST, or rejects the request. <see cref="WriteResponse{TContext}"/> makes a 405 of another method.</summary>
    public static async ValueTask ReadFormAsync(BaseValidatingContext context, bool mayBeGet = false)
    {
        var request = context.Transaction.GetHttpRequest()!;
        var isPost = HttpMethods.IsPost(request.Method);
        if (!isPost) request.HttpContext.Response.Headers.Allow = mayBeGet ? "GET, POST" : "POST";
        if (isPost && MediaTypeHeaderValue.TryParse(request.ContentType, out var type) && type.MediaType.Equals(Form, StringComparison.OrdinalIgnoreCase)
            && await ReadFormAsync(request) is { } form)
            Read(context, [.. form]);
        else
            context.Reject(Errors.InvalidRequest, mayBeGet ? "Send a POST with a form, or a GET with a query." : "Send a POST with a form.");
    }

    // Null for more parameters, or longer ones, than a form may have.
    private static async Task<IFormCollection?> ReadFormAsync(HttpRequest request)
    {
        try
        {
            return await request.ReadFormAsync(request.HttpContext.RequestAborted);
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    public static void Read(BaseValidatingContext context, List<KeyValuePair<string, StringValues>> parameters)
    {
        var names = parameters.SelectMany(parameter => Enumerable.Repeat(parameter.Key, parameter.Value.Count));
        if (names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { Key: var duplicate })
            context.Reject(Errors.InvalidRequest, $"The parameter '{duplicate}' must be given once.");
        // OpenIddict would log this one: it does not know that it is a secret.
        else if (parameters.Exists(parameter => parameter.Key == ClientPassword))
            context.Reject(Errors.InvalidRequest, "The parameter 'client_password' is for a GET; in a POST it is 'client_secret'.");
        else
            context.Transaction.Request = new OpenIddictRequest(parameters);
    }
}

/// <summary>Reads the form of a request to an endpoint that only accepts a POST.</summary>
internal sealed class ExtractForm<TContext> : IOpenIddictServerHandler<TContext>
    where TContext : BaseValidatingContext
{
    public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor.CreateBuilder<TContext>()
        .AddFilter<OpenIddictServerAspNetCoreHandlerFilters.RequireHttpRequest>()
        .UseSingletonHandler<ExtractForm<TContext>>()
        .SetOrder(OpenIddictServerAspNetCoreHandlers.ExtractPostRequest<TContext>.Descriptor.Order)
        .Build();

    public ValueTask HandleAsync(TContext context) => RequestParameters.ReadFormAsync(context);
}
