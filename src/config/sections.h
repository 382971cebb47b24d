// All tables of the file and their keys.
#pragma once

#include <span>
#include <string_view>

#include "config/draft.h"
#include "config/key.h"

namespace penstock::config {

// The tables that exist once, in the order of the documentation, in which they are also read: what
// stands in an earlier one may be the default of what stands in a later one.
extern const Section<Draft> kForward;
extern const Section<Draft> kProxy;
extern const Section<Draft> kLimits;
extern const Section<Draft> kTimeouts;
extern const Section<Draft> kHttp2;
extern const Section<Draft> kCache;
extern const Section<Draft> kTargets;
extern const Section<Draft> kDns;
extern const Section<Draft> kModules;
extern const Section<Draft> kLog;
extern const Section<Draft> kWorkers;
[[nodiscard]] std::span<const Section<Draft>* const> single_sections();

// Tables of these.
extern const Section<PoolSettings> kTargetsPool;
extern const Section<RetrySettings> kTargetsRetry;

// Those that may repeat, and tables of theirs.
extern const Section<ListenerSettings> kListener;

extern const Section<TlsServerSettings> kListenerTls;
extern const Section<TlsCertificateSettings> kListenerCertificate;
extern const Section<RouteSettings> kRoute;
extern const Section<FieldEdits> kRequestEdits;
extern const Section<FieldEdits> kResponseEdits;

extern const Section<UpstreamGroupSettings> kUpstream;
extern const Section<ServerEntry> kServer;
extern const Section<PoolSettings> kUpstreamPool;
extern const Section<QueueSettings> kUpstreamQueue;
extern const Section<CheckSettings> kUpstreamCheck;
extern const Section<EjectionSettings> kUpstreamEjection;
extern const Section<BreakerSettings> kUpstreamBreaker;
extern const Section<RetrySettings> kUpstreamRetry;
extern const Section<HedgeSettings> kUpstreamHedge;
extern const Section<TlsClientSettings> kUpstreamTls;

extern const Section<PeerSettings> kPeer;
extern const Section<CredentialSettings> kPeerLogin;
extern const Section<TlsClientSettings> kPeerTls;
extern const Section<PoolSettings> kPeerPool;
extern const Section<QueueSettings> kPeerQueue;
extern const Section<EjectionSettings> kPeerEjection;
extern const Section<CheckSettings> kPeerCheck;

extern const Section<OriginCredentialSettings> kCredentials;

extern const Section<FilterSettings> kFilter;
extern const Section<FilterConditions> kFilterUnless;
// The keys of [[filter]] that say what it does; each has one of them.
[[nodiscard]] std::span<const std::string_view> filter_works();

// Tables of these: what they do.
extern const Section<FieldsFilterSettings> kFilterFields;
extern const Section<FieldEdits> kFilterRequestEdits;
extern const Section<FieldEdits> kFilterResponseEdits;
extern const Section<AnswerFilterSettings> kFilterAnswer;
extern const Section<CompressFilterSettings> kFilterCompress;
extern const Section<DecompressFilterSettings> kFilterDecompress;
extern const Section<SubstituteFilterSettings> kFilterSubstitute;
extern const Section<RewriteFilterSettings> kFilterRewrite;
extern const Section<RedirectFilterSettings> kFilterRedirect;
extern const Section<CookiesFilterSettings> kFilterCookies;
extern const Section<PrivacyFilterSettings> kFilterPrivacy;
extern const Section<SubstitutionRule> kFilterRule;
extern const Section<IcapFilterSettings> kFilterIcap;

extern const Section<CacheRuleSettings> kCacheRule;

extern const Section<icap::ServiceSettings> kIcap;
extern const Section<icap::KeepLimits> kIcapKeep;
extern const Section<icap::IcapFieldSettings> kIcapFields;
extern const Section<icap::IcapBreakerSettings> kIcapBreaker;
extern const Section<icap::TrickleSettings> kIcapTrickle;
extern const Section<PoolSettings> kIcapPool;
extern const Section<QueueSettings> kIcapQueue;
extern const Section<TlsClientSettings> kIcapTls;

extern const Section<ModuleSettings> kModule;

}  // namespace penstock::config
